#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/io.h"
#include "runner/program/commands.h"
#include "runner/status/guide.h"
#include "runner/program/templates.h"

struct values {
    bool fmnist, cifar10, imagenet;
    const char *output;
};

static const struct qsv_option options[] = {
    {QSV_OPTION_FLAG, "fmnist", 0, NULL, offsetof(struct values, fmnist), false, NULL, 0,
     "of the network that comes along, on Fashion-MNIST: runs as it is (the default)"},
    {QSV_OPTION_FLAG, "cifar10", 0, NULL, offsetof(struct values, cifar10), false, NULL, 0,
     "of a network of yours, on CIFAR-10"},
    {QSV_OPTION_FLAG, "imagenet", 0, NULL, offsetof(struct values, imagenet), false, NULL, 0,
     "of a network of yours, on ImageNet's validation images as they are published"},
    {QSV_OPTION_TEXT, "output", 'o', "FILE", offsetof(struct values, output), false, "cluster.yaml",
     0, "the file to write; it must not be there yet"},
    {.type = QSV_OPTION_END},
};

static enum qsv_status choose(const struct qsv_template **t, const struct values *v,
                              struct qsv_error *err)
{
    const char *name = v->imagenet ? "imagenet" : v->cifar10 ? "cifar10" : "fmnist";
    if (v->fmnist + v->cifar10 + v->imagenet > 1)
        return qsv_fail(err, QSV_EUSAGE,
                        "found several of --fmnist, --cifar10 and --imagenet, "
                        "expected one");
    for (*t = qsv_templates; strcmp((*t)->name, name); (*t)++)
        ;
    return QSV_OK;
}

static enum qsv_status fail_taken(const char *path, struct qsv_error *err)
{
    return qsv_fail(err, QSV_EUSAGE,
                    "%s is there already, and is not written over: name another with -o, or run it "
                    "(qsvit run %s)",
                    path, path);
}

/* A link, unlike a renaming, never replaces what somebody else has put there meanwhile. */
static enum qsv_status write_new(const char *path, const struct qsv_strbuf *text,
                                 struct qsv_error *err)
{
    struct qsv_strbuf draft = {0};
    qsv_strbuf_printf(&draft, "%s.%ld.new", path, (long)getpid());
    if (draft.failed)
        return qsv_fail_memory(err, path);
    enum qsv_status st = qsv_file_write(draft.text, text->text, text->len, err);
    if (!st && qsv_io_link(draft.text, path))
        st = errno == EEXIST ? fail_taken(path, err) : qsv_io_fail(err, path, "cannot create");
    unlink(draft.text);
    qsv_strbuf_fini(&draft);
    return st;
}

/* A spec is to be written here; asked first, because a path that can't be written is a failure. */
static enum qsv_status write_template(const struct qsv_template *t, const char *path,
                                      struct qsv_error *err)
{
    struct qsv_strbuf text = {0}, model = {0};
    if (access(path, F_OK) == 0)
        return fail_taken(path, err);
    enum qsv_status st = qsv_template_fill(&text, &model, t, path, err);
    if (!st)
        st = write_new(path, &text, err);
    qsv_strbuf_fini(&text);
    qsv_strbuf_fini(&model);
    return st;
}

static enum qsv_status run(const struct qsv_invocation *in, struct qsv_error *err)
{
    const struct values *v = in->values;
    const struct qsv_template *t = NULL;
    struct qsv_strbuf text = {0};
    enum qsv_status st = choose(&t, v, err);
    if (!st)
        st = write_template(t, v->output, err);
    if (st)
        return st;
    qsv_strbuf_printf(&text, "wrote %s\n", v->output);
    qsv_guide_spec(&text, in->argv[0], v->output);
    return qsv_print(in->out, &text, err);
}

const struct qsv_command qsv_cmd_init = {
    .name = "init",
    .summary = "Writes a commented spec to begin with, and says what to do next",
    .synopsis = "[--fmnist|--cifar10|--imagenet] [-o FILE]",
    .details = "The spec is complete: each key that you are likely to change stands there with\n"
               "what it means. A file that is there is never written over.",
    .options = options,
    .values_size = sizeof(struct values),
    .run = run,
};
