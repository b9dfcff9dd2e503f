/* Cores that this process may use: by its affinity mask, and by the processor time that a
 * container's control group allows.
 */
#ifndef QSV_CORES_H
#define QSV_CORES_H

#include <stdint.h>

/* At least 1. */
uint32_t qsv_cores_available(void);

/* The limit that a control group's file states, rounded up to whole cores; 0: none. `text` is
 * cgroup v2's cpu.max: "200000 100000", or "max 100000". */
uint32_t qsv_cores_of_quota(const char *text);

#endif
