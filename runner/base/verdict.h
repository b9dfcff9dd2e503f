/* What a run has come to, in a file, for scripts: a launcher's exit status may be that of a rank
 * which it has killed, or its own, or 0 where it has started nothing.
 *
 * The file holds "begun" from when the ranks have found each other, then the exit status. The first
 * status stays: what comes later follows from it. Where the path is NULL, nothing is written; what
 * can't be written is as if the run had been killed.
 */
#ifndef QSV_VERDICT_H
#define QSV_VERDICT_H

void qsv_verdict_begin(const char *path);
void qsv_verdict_note(const char *path, int exit_status);

#endif
