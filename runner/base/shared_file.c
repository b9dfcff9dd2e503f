#include "runner/base/shared_file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/file.h"
#include "core/base/strbuf.h"
#include "schedulers/program.h"

/* *found is the path where it can be read, else the place is added to those looked at. False:
 * memory is out. */
static bool look(char **found, struct qsv_strbuf *places, const char *folder, const char *name)
{
    char *path = qsv_file_join(folder, name);
    if (!path)
        return false;
    if (access(path, R_OK) == 0) {
        *found = path;
        return true;
    }
    qsv_strbuf_printf(places, "%s%s", places->len ? ", " : "", path);
    free(path);
    return !places->failed;
}

static bool look_beside(char **found, struct qsv_strbuf *places, char *program, const char *name)
{
    char *slash = strrchr(program, '/');
    if (!slash)
        return true;
    *slash = '\0';
    if (!look(found, places, program, name))
        return false;
    if (*found)
        return true;
    char *share = qsv_file_join(program, "../share/qsvit");
    bool ok = share && look(found, places, share, name);
    free(share);
    return ok;
}

enum qsv_status qsv_shared_file_find(char **out, const char *name, const char *remedy,
                                     struct qsv_error *err)
{
    const char *folder = getenv("QSV_DATADIR");
    struct qsv_strbuf places = {0};
    char *program = NULL;
    bool ok = true;
    *out = NULL;
    enum qsv_status st = QSV_OK;
    if (folder && *folder)
        ok = look(out, &places, folder, name);
    else if (!(st = qsv_program_path(&program, err)))
        ok = look_beside(out, &places, program, name);
    if (!st && !ok)
        st = qsv_fail_memory(err, name);
    if (!st && !*out)
        st = qsv_fail(err, QSV_EFAILED, "%s is missing (looked for %s): %s", name, places.text,
                      remedy);
    qsv_strbuf_fini(&places);
    free(program);
    return st;
}
