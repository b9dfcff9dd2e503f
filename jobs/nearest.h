/* "Did you mean ...?" for misspelt words. */
#ifndef QSV_NEAREST_H
#define QSV_NEAREST_H

#include <stddef.h>

/* The word of words [n] that takes the fewest edits (a letter inserted, deleted, changed, or two
 * neighbours swapped) to become `word`, the first of equals; NULL where that is more than a third
 * of the letters. Words over 64 bytes are near to nothing. */
const char *qsv_nearest(const char *word, const char *const *words, size_t n);

/* The end of a message: ", did you mean 'x'?", x being the nearest word of a list ("a, b" or
 * "a|b");
 * "" where none is near. */
struct qsv_suggestion {
    char text[96];
};
struct qsv_suggestion qsv_suggest(const char *word, const char *list);

#endif
