#include "runner/base/version.h"

#include <version.h> /* made by the Makefile */

const char *qsv_version(void)
{
    return QSV_VERSION;
}

const char *qsv_version_commit(void)
{
    return QSV_COMMIT;
}
