#define _GNU_SOURCE /* strcasestr */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/alloc.h"
#include "core/base/file.h"
#include "runner/report/report.h"
#include "runner/base/shared_file.h"
#include "schedulers/program.h"

static const char page_html[] =
#include "runner/report/page/page.html.inc"
    ;
static const char style_css[] =
#include "runner/report/page/style.css.inc"
    ;
static const char figures_js[] =
#include "runner/report/page/figures.js.inc"
    ;
static const char page_js[] =
#include "runner/report/page/page.js.inc"
    ;
static const char svg_js[] =
#include "runner/report/page/svg.js.inc"
    ;

/* The figures' Vega specifications. */
static const struct {
    const char *name, *json;
} specs[] = {
    {
        "curve",
#include "runner/report/page/curve.json.inc"
    },
    {
        "sensitivity",
#include "runner/report/page/sensitivity.json.inc"
    },
    {
        "bits",
#include "runner/report/page/bits.json.inc"
    },
    {
        "costs",
#include "runner/report/page/costs.json.inc"
    },
    {
        "firing",
#include "runner/report/page/firing.json.inc"
    },
    {
        "forwards",
#include "runner/report/page/forwards.json.inc"
    },
};

enum { MOST_VEGA_BYTES = 8 << 20, DRAW_S = 600 };

/* Vega's text; what would end the script element that it goes into is refused. */
static enum qsv_status read_vega(char **out, struct qsv_error *err)
{
    uint8_t *data = NULL;
    size_t bytes;
    char *path;
    *out = NULL;
    enum qsv_status st = qsv_shared_file_find(
        &path, "report/vega.js", "install Debian's libjs-vega, then make (and make install)", err);
    if (st)
        return st;
    st = qsv_file_read(&data, &bytes, path, MOST_VEGA_BYTES, err);
    if (!st && (strcasestr((char *)data, "</script") || strstr((char *)data, "<!--"))) {
        st = qsv_fail(err, QSV_EFAILED, "%s: holds an HTML tag, can't be put into a page", path);
        free(data);
    }
    free(path);
    *out = st ? NULL : (char *)data;
    return st;
}

static void add_specs(struct qsv_strbuf *out)
{
    qsv_strbuf_puts(out, "const qsvitSpecs = {\n");
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++)
        qsv_strbuf_printf(out, "%s: %s,\n", specs[i].name, specs[i].json);
    qsv_strbuf_puts(out, "};\n");
}

struct part {
    const char *name, *text;
};

/* The template, with every {{name}} in it replaced by the part of that name. */
static void fill_in(struct qsv_strbuf *out, const char *template, const struct part *parts,
                    size_t n)
{
    for (const char *at = template; *at;) {
        const char *mark = strstr(at, "{{"), *end = mark ? strstr(mark, "}}") : NULL;
        qsv_strbuf_add(out, at, mark && end ? (size_t)(mark - at) : strlen(at));
        if (!end)
            return;
        for (size_t i = 0; i < n; i++)
            if (strlen(parts[i].name) == (size_t)(end - mark - 2) &&
                !strncmp(parts[i].name, mark + 2, (size_t)(end - mark - 2)))
                qsv_strbuf_puts(out, parts[i].text);
        at = end + 2;
    }
}

enum qsv_status qsv_report_write(const char *path, const struct qsv_report_query *q,
                                 const struct qsv_strbuf *data, struct qsv_error *err)
{
    struct qsv_strbuf figures = {0}, page = {0};
    char *vega;
    enum qsv_status st = read_vega(&vega, err);
    if (st)
        return st;
    add_specs(&figures);
    const struct part parts[] = {
        {"refresh", q->live ? "<meta http-equiv=\"refresh\" content=\"10\">" : ""},
        {"style", style_css},
        {"data", data->text},
        {"vega", vega},
        {"specs", figures.failed ? "" : figures.text},
        {"figures", figures_js},
        {"page", page_js},
    };
    fill_in(&page, page_html, parts, sizeof parts / sizeof *parts);
    st = figures.failed || page.failed ? qsv_fail_memory(err, "a page")
                                       : qsv_file_write(path, page.text, page.len, err);
    qsv_strbuf_fini(&figures);
    qsv_strbuf_fini(&page);
    free(vega);
    return st;
}

static enum qsv_status run_node(const char *script, const char *folder, struct qsv_error *err)
{
    struct qsv_output o;
    struct qsv_strbuf words = {0};
    /* By its whole path it is no option of node, whatever the folder is called. */
    char *whole = realpath(script, NULL);
    if (!whole)
        return qsv_fail_memory(err, "a script");
    char *argv[] = {"node", whole, (char *)folder, NULL};
    enum qsv_status st = qsv_program_run(&o, argv, DRAW_S, err);
    if (st)
        qsv_fail_in(err, st, "SVG files are drawn by node (Debian's nodejs)");
    qsv_output_words(&o, &words);
    if (!st && o.status)
        st = qsv_fail(err, QSV_EFAILED, "%s: node could not draw the figures: %s", folder,
                      words.len ? words.text : "it says nothing");
    qsv_strbuf_fini(&words);
    qsv_output_fini(&o);
    free(whole);
    return st;
}

enum qsv_status qsv_report_draw(const char *folder, const struct qsv_strbuf *data,
                                struct qsv_error *err)
{
    struct qsv_strbuf script = {0};
    char *vega, name[48];
    snprintf(name, sizeof name, ".figures-%ld.cjs", (long)getpid());
    char *path = qsv_file_join(folder, name);
    enum qsv_status st = path ? read_vega(&vega, err) : qsv_fail_memory(err, folder);
    if (!st) {
        qsv_strbuf_printf(&script, "%s\n", vega);
        free(vega);
        add_specs(&script);
        qsv_strbuf_printf(&script, "%s\nconst qsvitData = %s;\n%s", figures_js, data->text, svg_js);
        st = script.failed ? qsv_fail_memory(err, "a script") : qsv_file_make_folder(folder, err);
    }
    if (!st)
        st = qsv_file_write(path, script.text, script.len, err);
    if (!st) {
        st = run_node(path, folder, err);
        unlink(path);
    }
    qsv_strbuf_fini(&script);
    free(path);
    return st;
}
