/* A setting: one format a layer. Its id is a hash of the formats, the same in every run of a model.
 *
 * Setting files are YAML: `default: int4`, and `layers:` a map from layer name patterns to formats;
 * the last match wins (jobs/pins.h). A pattern that matches no layer is an error.
 */
#ifndef QSV_SETTING_H
#define QSV_SETTING_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/base/strbuf.h"
#include "core/format.h"
#include "core/graph.h"
#include "jobs/pins.h"

/* formats [n_layers] -> id, never 0. The all-f32 setting is the baseline. */
uint64_t qsv_setting_id(const uint8_t *formats, uint32_t n_layers);

/* Reads a setting file into formats [n_layers]. Without `default` layers that no pattern matches
 * are f32. */
enum qsv_status qsv_setting_read(const char *path, const struct qsv_graph *graph, uint8_t *formats,
                                 struct qsv_error *err);
/* The same over text in memory; path is for messages. */
enum qsv_status qsv_setting_parse(const char *text, size_t bytes, const char *path,
                                  const struct qsv_graph *graph, uint8_t *formats,
                                  struct qsv_error *err);

/* Writes a setting file that qsv_setting_read reads back to the same formats: the most frequent
 * format as the default, the other layers by name, in network order. `comment` (may be NULL; may
 * hold several lines) goes first. */
void qsv_setting_print(struct qsv_strbuf *out, const uint8_t *formats,
                       const struct qsv_graph *graph, const char *comment);

#endif
