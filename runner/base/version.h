/* What this program is: part of --version, of the man page, and of what a run records about each
 * attempt.
 */
#ifndef QSV_VERSION_H
#define QSV_VERSION_H

/* "0.1.0" */
const char *qsv_version(void);
/* The commit it was built from as git describes it, "3f2ece3-dirty"; "" where that is not known. */
const char *qsv_version_commit(void);

#endif
