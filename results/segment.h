/* Segments: the small HDF5 files in RUN/segments/ that a worker writes, one a report. A record is
 * *recorded* once its segment was renamed into place and the folder synced. Nothing is ever
 * appended to an open HDF5 file. docs/results.md has the layout.
 */
#ifndef QSV_SEGMENT_H
#define QSV_SEGMENT_H

#include "results/run.h"

struct qsv_trial_setting {
    uint64_t trial_id;
    const uint8_t *formats; /* [n_layers] */
};

/* Writes records [n] and the settings of their trials as RUN/segments/<name>.h5: temporary name,
 * chunked, Fletcher32, closed, fsync, rename, folder fsync. Any rank may call it; name must be
 * unique in the run ("<attempt>-<rank>-<sequence>"). */
enum qsv_status qsv_segment_write(const char *run_folder, const char *name,
                                  const struct qsv_run *run, const struct qsv_record *records,
                                  size_t n, const struct qsv_trial_setting *settings,
                                  size_t n_settings, struct qsv_error *err);

#endif
