/* "Did you mean ...?": finds the candidate that a misspelt word most likely stands for.
 *
 *     struct qsv_nearest n = {.word = word};
 *     for each candidate: qsv_nearest_try(&n, candidate);
 *     if (n.best) ...
 */
#ifndef QSV_NEAREST_H
#define QSV_NEAREST_H

#include <stddef.h>

struct qsv_nearest {
    const char *word;
    const char *best; /* NULL while nothing is close enough to be meant */
    size_t distance;  /* of best: insertions, deletions, replacements and swaps of neighbours */
};

/* The first of several equally close candidates stays. Case is ignored, '_' and '-' are the same.
 */
void qsv_nearest_try(struct qsv_nearest *n, const char *candidate);

#endif
