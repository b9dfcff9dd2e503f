/* What a search stands on, beside what was measured. */
#ifndef QSV_PROXIES_H
#define QSV_PROXIES_H

#include "jobs/strategies/qsvit.h"

/* Notes how well what the search goes by orders the settings that it has measured on the deciding
 * images, by Spearman's rank correlation: the KL that step 1 foretells with the measured KL and
 * with the drop, drift with the drop. Also the range of measured KL / foretold KL, by which groups
 * act together otherwise than alone. Of settings in which something is quantized; nothing where
 * there are fewer than four. */
enum qsv_status qsv_proxies_note(struct qsv_qsvit *q);

#endif
