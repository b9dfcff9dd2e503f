#include "runner/program/templates.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "schedulers/program.h"

static const char fmnist[] =
#include "runner/cluster_yaml.h"
    ;
static const char cifar10[] =
#include "runner/cifar10_yaml.h"
    ;
static const char imagenet[] =
#include "runner/imagenet_yaml.h"
    ;

const struct qsv_template qsv_templates[] = {
    {"fmnist", fmnist}, {"cifar10", cifar10}, {"imagenet", imagenet}, {NULL, NULL}};

/* Where models lie that come along, as seen from the program: installed, and in the folder it was
 * built in. */
static const char *const shelves[] = {"../share/qsvit", "../models", "../../models"};

static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? qsv_strndup(path, (size_t)(slash - path) + (slash == path)) : qsv_strdup("");
}

/* *found stays empty where there is none of that name. */
static enum qsv_status find_model(struct qsv_strbuf *found, const char *name, struct qsv_error *err)
{
    char *program = NULL;
    enum qsv_status st = qsv_program_path(&program, err);
    if (st)
        return st;
    *strrchr(program, '/') = '\0';
    for (size_t i = 0; i < sizeof shelves / sizeof *shelves && !found->len; i++) {
        struct qsv_strbuf path = {0};
        qsv_strbuf_printf(&path, "%s/%s/%s", program, shelves[i], name);
        char *whole = path.failed ? NULL : realpath(path.text, NULL);
        if (whole)
            qsv_strbuf_puts(found, whole);
        free(whole);
        qsv_strbuf_fini(&path);
    }
    free(program);
    return QSV_OK;
}

/* Whether a spec at `path` that names the model finds it. */
static bool is_found(const char *path, const char *model)
{
    char *folder = folder_of(path);
    char *there = folder ? qsv_file_join(folder, model) : NULL;
    bool found = there && access(there, R_OK) == 0;
    free(there);
    free(folder);
    return found;
}

enum qsv_status qsv_template_fill(struct qsv_strbuf *text, struct qsv_strbuf *model,
                                  const struct qsv_template *t, const char *path,
                                  struct qsv_error *err)
{
    static const char key[] = "\nmodel: ";
    struct qsv_strbuf found = {0};
    const char *at = strstr(t->text, key) + strlen(key);
    size_t n = strcspn(at, " \n");
    qsv_strbuf_add(model, at, n);
    const char *slash = model->failed ? NULL : strrchr(model->text, '/');
    enum qsv_status st = QSV_OK;
    if (slash && !is_found(path, model->text))
        st = find_model(&found, slash + 1, err);
    if (found.len) {
        qsv_strbuf_fini(model);
        *model = found;
    }
    qsv_strbuf_add(text, t->text, (size_t)(at - t->text));
    qsv_strbuf_puts(text, model->text ? model->text : "");
    qsv_strbuf_puts(text, at + n);
    if (!st && (text->failed || model->failed))
        st = qsv_fail_memory(err, path);
    return st;
}
