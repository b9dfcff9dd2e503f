#include "runner/program/manual.h"

#include <ctype.h>
#include <string.h>

#include "core/format.h"
#include "jobs/spec.h"
#include "runner/program/commands.h"
#include "runner/base/roff.h"
#include "runner/base/version.h"

/* Paragraphs are parted by empty lines; indented ones are examples, shown as they are. */
static void add_paragraphs(struct qsv_strbuf *out, const char *text)
{
    bool example = false;
    while (*text) {
        size_t n = strcspn(text, "\n");
        struct qsv_strbuf line = {0};
        qsv_strbuf_add(&line, text, n);
        if (!n)
            qsv_strbuf_puts(out, example ? ".fi\n.PP\n" : ".PP\n");
        if ((*text == ' ') != example && n) {
            example = !example;
            qsv_strbuf_puts(out, example ? ".nf\n" : ".fi\n");
        }
        if (!n)
            example = false;
        else
            qsv_roff_lines(out, line.text ? line.text : "");
        out->failed = out->failed || line.failed;
        qsv_strbuf_fini(&line);
        text += n + (text[n] == '\n');
    }
    if (example)
        qsv_strbuf_puts(out, ".fi\n");
}

/* A line that begins with a space goes on with the form above it. */
static void add_synopsis(struct qsv_strbuf *out, const struct qsv_command *c)
{
    for (const char *line = c->synopsis;;) {
        size_t n = strcspn(line, "\n"), blanks = strspn(line, " ");
        struct qsv_strbuf text = {0};
        qsv_strbuf_add(&text, line + blanks, n - blanks);
        if (!blanks)
            qsv_strbuf_printf(out, ".HP\n.B qsvit %s\n", c->name);
        if (n)
            qsv_roff_lines(out, text.text);
        out->failed = out->failed || text.failed;
        qsv_strbuf_fini(&text);
        if (!line[n])
            break;
        line += n + 1;
    }
}

static void add_command(struct qsv_strbuf *out, const struct qsv_command *c)
{
    qsv_strbuf_printf(out, ".SS \"qsvit %s\"\n", c->name);
    add_synopsis(out, c);
    qsv_strbuf_puts(out, ".PP\n");
    qsv_roff_text(out, c->summary);
    qsv_strbuf_puts(out, ".\n");
    if (c->details) {
        qsv_strbuf_puts(out, ".PP\n");
        add_paragraphs(out, c->details);
    }
    qsv_options_describe_roff(c->options, out);
}

static const char description[] =
    "qsvit finds, for a spiking vision transformer, the weight precision of every layer that\n"
    "costs the least memory and energy while accuracy stays within a stated bound, and writes\n"
    "the quantized network. A sweep measures what each precision does in each layer, fixes base\n"
    "settings from that, searches from there, and measures what it selects on every image.\n"
    "\n"
    "It runs on the ranks of an MPI job, records every measurement in HDF5 before it counts, and\n"
    "goes on where it was when it is started again after having been killed.\n";

static const char setting_file[] =
    "A setting gives every layer a format. Its file is YAML; patterns are fnmatch(3)'s and match\n"
    "layer names as qsvit inspect lists them, dots included; the last match wins:\n"
    "\n"
    "    default: int4\n"
    "    layers:\n"
    "      block3.*.attn.*: int2\n"
    "      head: int8\n"
    "\n"
    "Formats, with the bits a weight takes when packed:\n";

static const char exit_status[] =
    ".TP\n0\nIt did what was asked.\n"
    ".TP\n1\nSomething failed: reading or writing, memory, a rank that died.\n"
    ".TP\n2\nThe command line, a file, a spec or an expression is wrong, or a run is of another\n"
    "identity or held by another process. One line on standard error says what, and where.\n"
    ".TP\n3\nThe sweep ended, but no setting meets the constraint.\n"
    ".TP\n75\nIt was asked to stop before the end; what is recorded stays, and the same command\n"
    "goes on from there.\n";

static const char environment[] =
    ".TP\n.B QSV_ISA\nForces an instruction set: scalar, avx2 or avx512. Answers are the same.\n"
    ".TP\n.B QSV_MPIRUN\nThe mpirun that qsvit run starts when it is not under an MPI launcher\n"
    "already, instead of the first on the PATH.\n"
    ".TP\n.B QSV_DATADIR\nWhere report/vega.js is, if not beside the program or in "
    "../share/qsvit.\n"
    ".TP\n.B OMPI_MCA_*\nParameters of Open MPI that are set there stay as they are.\n";

static const char files[] =
    ".TP\n.I cluster.yaml\nThe default sweep, which runs as it is.\n"
    ".TP\n.IR RUN /results.h5\nEverything recorded so far; plain HDF5, whole at any time.\n"
    ".TP\n.IR RUN /segments/\nRecords that are not yet folded into results.h5.\n"
    ".TP\n.IR RUN /spec.yaml\nThe spec as the run was started with it.\n"
    ".TP\n.IR RUN /lock\nWho writes the run at the moment.\n";

static const char examples[] =
    "Run the default sweep on all cores, or on the ranks of an MPI job:\n"
    "\n"
    "    qsvit run cluster.yaml\n"
    "    mpirun -np 64 qsvit run cluster.yaml\n"
    "\n"
    "Ask what it found, and write the network that it selected:\n"
    "\n"
    "    qsvit query runs/default --pareto --sort model_bytes\n"
    "    qsvit export runs/default -o small.h5\n"
    "    qsvit eval -m small.h5 -d images.gz,labels.gz\n";

static void add_formats(struct qsv_strbuf *out)
{
    const char *comma = "";
    for (int f = 0; f < QSV_N_FORMATS; f++) {
        const struct qsv_format_info *info = qsv_format_info((enum qsv_format)f);
        qsv_strbuf_printf(out, "%s%s (%g)", comma, info->name, info->bits);
        comma = ",\n";
    }
    qsv_strbuf_puts(out, ".\n");
}

static void add_title(struct qsv_strbuf *out, const char *name)
{
    qsv_strbuf_puts(out, ".TH ");
    for (; *name; name++)
        qsv_strbuf_add(out, &(char){(char)toupper((unsigned char)*name)}, 1);
    qsv_strbuf_printf(out, " 1 \"\" \"qsvit %s\" \"User Commands\"\n.ad l\n.nh\n", qsv_version());
}

void qsv_manual_print_command(struct qsv_strbuf *out, const struct qsv_command *c)
{
    struct qsv_strbuf name = {0};
    qsv_strbuf_printf(&name, "qsvit-%s", c->name);
    add_title(out, name.text ? name.text : "");
    out->failed = out->failed || name.failed;
    qsv_strbuf_fini(&name);
    qsv_strbuf_printf(out, ".SH NAME\nqsvit\\-%s \\- %c", c->name,
                      tolower((unsigned char)c->summary[0]));
    qsv_roff_text(out, c->summary + 1);
    qsv_strbuf_puts(out, "\n.SH SYNOPSIS\n");
    add_synopsis(out, c);
    qsv_strbuf_puts(out, ".SH DESCRIPTION\n");
    qsv_roff_text(out, c->summary);
    qsv_strbuf_puts(out, ".\n");
    if (c->details) {
        qsv_strbuf_puts(out, ".PP\n");
        add_paragraphs(out, c->details);
    }
    if (c->options && c->options->type)
        qsv_strbuf_puts(out, ".SH OPTIONS\n");
    qsv_options_describe_roff(c->options, out);
    qsv_strbuf_printf(out, ".SH EXIT STATUS\n%s.SH SEE ALSO\n.BR qsvit (1)\n", exit_status);
}

void qsv_manual_print(struct qsv_strbuf *out)
{
    add_title(out, "qsvit");
    qsv_strbuf_puts(out, ".SH NAME\nqsvit \\- weight precision for spiking vision transformers\n"
                         ".SH SYNOPSIS\n");
    for (size_t i = 0; qsv_commands[i]; i++)
        add_synopsis(out, qsv_commands[i]);
    qsv_strbuf_puts(out, ".SH DESCRIPTION\n");
    add_paragraphs(out, description);
    qsv_strbuf_puts(out, ".SH COMMANDS\n");
    for (size_t i = 0; qsv_commands[i]; i++)
        add_command(out, qsv_commands[i]);
    qsv_strbuf_puts(out, ".SH SPEC\nA sweep's spec is YAML; a dot in a key stands for one level\n"
                         "deeper. Relative paths are taken from the spec's folder.\n");
    qsv_spec_describe_keys(out, QSV_KEYS_ROFF);
    qsv_strbuf_puts(out, ".SH SETTING FILES\n");
    add_paragraphs(out, setting_file);
    add_formats(out);
    qsv_strbuf_printf(out, ".SH EXIT STATUS\n%s.SH ENVIRONMENT\n%s.SH FILES\n%s.SH EXAMPLES\n",
                      exit_status, environment, files);
    add_paragraphs(out, examples);
    qsv_strbuf_puts(out, ".SH SEE ALSO\n");
    for (size_t i = 0; qsv_commands[i]; i++)
        qsv_strbuf_printf(out, ".BR qsvit\\-%s (1),\n", qsv_commands[i]->name);
    qsv_strbuf_puts(out, ".BR mpirun (1),\n.BR h5dump (1)\n");
}
