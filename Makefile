# qsvit: build, tests and the default sweep. `make help` lists the targets.
#
# Variables: CC, CFLAGS, CPPFLAGS, LDFLAGS, PREFIX, DESTDIR as everywhere; B: the build folder;
# V=1 shows commands; WERROR= lets warnings pass. Each folder of sources becomes one archive. Only
# runner/ is compiled against MPI. Output other than in $(B) is only made by `run` and `install`.
VERSION := 0.1.0

B       ?= build
PREFIX  ?= /usr/local
WERROR  ?= -Werror
CFLAGS  ?= -O2 -g
FOLDERS := core jobs results schedulers runner

# Kernels and quantizers profit from -O3; somebody who gives CFLAGS knows what they want.
ifeq ($(origin CFLAGS),file)
KERNEL_CFLAGS := -O3
# Exceptions' flags are read nowhere; kept exact they keep gcc from vectorizing comparisons.
QUANTIZER_CFLAGS := -O3 -fno-trapping-math
endif

# Targets that install before they build call make again: on all cores, unless told otherwise.
JOBS = $(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc))

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) '$(2)')
# Headers of libraries are not ours to warn about.
system = $(patsubst -I%,-isystem %,$(filter-out -I/usr/include,$(1)))

LIBRARIES := libarchive hdf5 yaml-0.1 zlib jansson libxxhash lapacke libjpeg libpng matio
LIB_CFLAGS := $(call system,$(shell pkg-config --cflags $(LIBRARIES) 2>/dev/null))
LIB_LIBS := $(shell pkg-config --libs $(LIBRARIES) 2>/dev/null)
MPI_CFLAGS := $(call system,$(shell pkg-config --cflags ompi-c 2>/dev/null || \
                                    mpicc --showme:compile 2>/dev/null))
MPI_LIBS := $(shell pkg-config --libs ompi-c 2>/dev/null || mpicc --showme:link 2>/dev/null)

# Threads of the engine. gcc brings its library along, clang has it in a package of its own.
OPENMP := -fopenmp

# The same bits on any machine: no contraction of a*b+c that was not asked for.
WARN := -Wall -Wextra $(WERROR) -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla
COMPILER := $(shell $(CC) --version 2>/dev/null)
WARN += $(if $(findstring clang,$(COMPILER)),,-Wno-format-truncation)
BASE_CFLAGS = -std=gnu11 $(WARN) -I. $(LIB_CFLAGS) -ffp-contract=off $(CPPFLAGS) $(CFLAGS)

# Instruction sets that a kernel's file may use; what core/kernels asks of the CPU before it is
# chosen must cover them. Elsewhere than on x86-64 these files are empty.
ifneq ($(filter x86_64% amd64%,$(shell $(CC) -dumpmachine 2>/dev/null)),)
ISA_avx2   := -mavx2 -mfma -mpopcnt -mbmi -Wno-psabi
ISA_avx512 := -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vbmi -mavx512vpopcntdq \
              -mfma -mpopcnt -mbmi2 -mprefer-vector-width=512 -Wno-psabi
ISA_avx512_codes := $(ISA_avx512)
ISA_avx512_lookup := $(ISA_avx512)
ISA_avx512_windows := $(ISA_avx512)
ISA_avx512_rows  := $(ISA_avx512)
ISA_avx512_reals := $(ISA_avx512)
ISA_moments_avx2   := $(ISA_avx2)
ISA_moments_avx512 := $(ISA_avx512)
endif

SOURCES := $(foreach f,$(FOLDERS),$(wildcard $(f)/*.c $(f)/*/*.c))
archive = $(B)/lib/libqsv_$(1).a
objects = $(patsubst %.c,$(B)/%.o,$(filter $(1)/%,$(SOURCES)))
ARCHIVES := $(foreach f,runner schedulers results jobs core,$(call archive,$(f)))

unit = $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/$(1)/test_*.c))
UNIT_TESTS := $(foreach f,core jobs results schedulers runner,$(call unit,$(f)) $(call unit,$(f)/*))
MPI_TESTS := $(patsubst tests/mpi/%.c,$(B)/tests/mpi/%,$(wildcard tests/mpi/*.c))
SHELL_TESTS := $(wildcard tests/cli/test_*.sh)
MPI_SHELL_TESTS := $(wildcard tests/mpi/test_*.sh)

# qsvit as docs/extending.md extends it: the files of tests/extending/ beside the sources, and each of
# its lists (*.inc) behind the list of that name. What reads a list is compiled anew.
ADDED := $(shell find tests/extending -mindepth 2 -name '*.c')
LISTS := $(patsubst tests/extending/%,%,$(shell find tests/extending -name '*.inc'))
LISTING := jobs/strategy.c core/quantizer.c core/dataset.c core/models/models.c runner/inputs/image_options.c \
           schedulers/launcher.c
EXTENDED := $(patsubst tests/extending/%.c,$(B)/extended/%.o,$(ADDED)) $(LISTING:%.c=$(B)/extended/%.o)
EXTENDED_TEST := $(B)/tests/extending/test_extending

FUZZ_TARGETS := $(patsubst tests/fuzz/targets/%.c,$(B)/tests/fuzz/%,$(wildcard tests/fuzz/targets/*.c))
FUZZ_SHARED := $(patsubst %.c,$(B)/%.o,$(filter-out tests/fuzz/replay.c,$(wildcard tests/fuzz/*.c)))
PEERS = $(if $(wildcard /usr/include/dnnl.h),$(B)/bench/peer_onednn)
ASAN := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
# What calls a fuzz target: libFuzzer, or a program that goes through its corpus.
FUZZ_MAIN = $(if $(FUZZER),,$(B)/tests/fuzz/replay.o)

# What reports draw with, where Debian's libjs-vega is installed.
VEGA_PARTS := /usr/share/javascript/vega
VEGA := $(if $(wildcard $(VEGA_PARTS)/vega-interpreter.min.js),$(B)/report/vega.js)

## all: build/qsvit (the default)
all: $(B)/qsvit $(VEGA)

## run: installs what is missing, builds, and runs the sweep of cluster.yaml on all cores
run:
	$(Q)scripts/deps.sh build run
	$(Q)$(MAKE) $(JOBS) all
	$(B)/qsvit run cluster.yaml

## test: installs what is missing, builds, and runs every test
test:
	$(Q)scripts/deps.sh build test
	$(Q)$(MAKE) $(JOBS) check

## check: builds and runs every test, installs nothing
check: $(B)/qsvit $(VEGA) $(B)/extended/qsvit $(UNIT_TESTS) $(EXTENDED_TEST) $(MPI_TESTS) $(FUZZ_TARGETS)
	$(Q)B='$(B)' CC='$(CC)' tests/run.sh $(UNIT_TESTS) $(EXTENDED_TEST) $(FUZZ_TARGETS) $(MPI_SHELL_TESTS) $(SHELL_TESTS)

## unit: builds and runs the unit tests
unit: $(UNIT_TESTS) $(EXTENDED_TEST)
	$(Q)B='$(B)' CC='$(CC)' tests/run.sh $(UNIT_TESTS) $(EXTENDED_TEST)

## replay: calls the readers of input files for every file that fuzzing has left in tests/fuzz/corpus
replay: $(FUZZ_TARGETS)
	$(Q)B='$(B)' tests/run.sh $(FUZZ_TARGETS)

## asan: unit tests and replay, compiled with AddressSanitizer and UndefinedBehaviorSanitizer
asan:
	$(Q)scripts/deps.sh build test
	$(Q)$(MAKE) $(JOBS) B='$(B)/asan' CFLAGS='-O1 -g $(ASAN)' unit replay

## fuzz: gives each reader of input files random input for SECONDS seconds (60), or TARGET's only
SECONDS ?= 60
fuzz:
	$(Q)scripts/deps.sh build test fuzz
	$(Q)$(MAKE) $(JOBS) B='$(B)/fuzz' CC=clang CFLAGS='-O1 -g -fsanitize=fuzzer-no-link $(ASAN)' FUZZER=yes fuzzers
	$(Q)tests/fuzz/run.sh '$(B)/fuzz' '$(SECONDS)' $(TARGET)

fuzzers: $(FUZZ_TARGETS)

## soak: disturbs a sweep in every way for MINUTES minutes (10), with random numbers from SEED
MINUTES ?= 10
SEED    ?= 1
soak: $(B)/qsvit
	$(Q)B='$(B)' SEED='$(SEED)' tests/mpi/soak.sh '$(MINUTES)'

## test-slurm: sweeps as jobs of a real Slurm, which it installs and starts on the loopback
test-slurm:
	$(Q)scripts/deps.sh build test slurm
	$(Q)$(MAKE) $(JOBS) all
	$(Q)B='$(B)' tests/run.sh tests/slurm/test_slurm.sh

## test-reference: compares with PyTorch, which it installs
test-reference:
	$(Q)scripts/deps.sh build run test reference
	$(Q)$(MAKE) $(JOBS) all
	B='$(B)' tests/reference/run.sh

## test-report: reads reports in a headless Chromium, which it installs
test-report:
	$(Q)scripts/deps.sh build run test report
	$(Q)$(MAKE) $(JOBS) all
	$(Q)B='$(B)' tests/run.sh tests/report/test_report.sh

## bench: speed, beside peers that are installed (BENCH=kernels|models|trie|coordinator|flips; JSON=1)
bench: $(B)/qsvit $(PEERS)
	$(Q)B='$(B)' scripts/bench.sh

## lint: formatting, static analysis, and a build without a warning by gcc and by clang
lint:
	$(Q)scripts/deps.sh build test lint
	$(Q)scripts/lint.sh
	$(Q)$(MAKE) $(JOBS) B='$(B)/gcc' CC=gcc programs
	$(Q)$(MAKE) $(JOBS) B='$(B)/clang' CC=clang programs

## programs: builds qsvit and every test, runs nothing
programs: $(B)/qsvit $(B)/extended/qsvit $(UNIT_TESTS) $(EXTENDED_TEST) $(MPI_TESTS) $(FUZZ_TARGETS)

## deps: installs what build, tests and the default sweep need as Debian packages
deps:
	$(Q)scripts/deps.sh build run test

## install: program, man pages, completions, default model and spec to $(DESTDIR)$(PREFIX) (/usr/local)
bindir  := $(PREFIX)/bin
mandir  := $(PREFIX)/share/man/man1
datadir := $(PREFIX)/share/qsvit
bashdir := $(PREFIX)/share/bash-completion/completions
zshdir  := $(PREFIX)/share/zsh/site-functions
install: $(B)/qsvit $(B)/share $(VEGA)
	install -d '$(DESTDIR)$(bindir)' '$(DESTDIR)$(mandir)' '$(DESTDIR)$(datadir)' \
	    '$(DESTDIR)$(bashdir)' '$(DESTDIR)$(zshdir)'
	install -m 755 $(B)/qsvit '$(DESTDIR)$(bindir)/qsvit'
	install -m 644 $(B)/share/*.1 '$(DESTDIR)$(mandir)'
	install -m 644 $(B)/share/qsvit '$(DESTDIR)$(bashdir)/qsvit'
	install -m 644 $(B)/share/_qsvit '$(DESTDIR)$(zshdir)/_qsvit'
	install -m 644 $(wildcard models/*.h5) '$(DESTDIR)$(datadir)'
	sed 's,^model: models/,model: $(datadir)/,' cluster.yaml >'$(DESTDIR)$(datadir)/cluster.yaml'
	chmod 644 '$(DESTDIR)$(datadir)/cluster.yaml'
	$(if $(VEGA),install -D -m 644 $(VEGA) '$(DESTDIR)$(datadir)/report/vega.js')

## uninstall: removes what install put there
uninstall:
	rm -f '$(DESTDIR)$(bindir)/qsvit' '$(DESTDIR)$(mandir)'/qsvit.1 '$(DESTDIR)$(mandir)'/qsvit-*.1 \
	    '$(DESTDIR)$(bashdir)/qsvit' '$(DESTDIR)$(zshdir)/_qsvit'
	rm -rf '$(DESTDIR)$(datadir)'

## dist: the source archive of the last commit, build/qsvit-VERSION.tar.gz
ARCHIVE := $(B)/qsvit-$(VERSION).tar.gz
dist:
	@mkdir -p '$(B)'
	$(Q)scripts/dist.sh 'qsvit-$(VERSION)' '$(abspath $(ARCHIVE))'
	@echo '$(ARCHIVE)'

## deb: a Debian package of the last commit, in build/deb
deb: dist
	$(Q)scripts/deps.sh build package
	$(Q)scripts/deb.sh '$(VERSION)' '$(ARCHIVE)' '$(B)/deb'
	@ls $(B)/deb/*.deb

## test-package: builds archive, Debian package and container, and tries them in fresh systems
test-package:
	$(Q)scripts/deps.sh build test package
	$(Q)$(MAKE) $(JOBS) all
	$(Q)B='$(B)' TEST_LIMIT_S=1800 tests/run.sh $(wildcard tests/package/test_*.sh)

## clean: removes the build folder
clean:
	rm -rf '$(B)'

## help: this list
help:
	@sed -n 's/^## \([a-z-]*\): /  \1: /p' $(firstword $(MAKEFILE_LIST)) | \
	    awk -F': ' '{ printf "%-18s %s\n", $$1, substr($$0, length($$1) + 3) }'

# Names a missing package before anything is compiled.
packages:
	@scripts/deps.sh --check build || \
	    { echo 'Install it with: make deps' >&2; exit 1; }

# What the objects were made with: another compiler or other flags make them anew.
$(B)/flags: packages FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(CC)' '$(subst ','\'',$(BASE_CFLAGS))' '$(MPI_CFLAGS)' | \
	    cmp -s - $@ || printf '%s\n' '$(CC)' '$(subst ','\'',$(BASE_CFLAGS))' '$(MPI_CFLAGS)' >$@

COMMIT := $(shell scripts/commit.sh)
$(B)/version.h: FORCE
	@mkdir -p $(@D)
	@printf '#define QSV_VERSION "%s"\n#define QSV_COMMIT "%s"\n' '$(VERSION)' '$(COMMIT)' | \
	    cmp -s - $@ || printf '#define QSV_VERSION "%s"\n#define QSV_COMMIT "%s"\n' \
	    '$(VERSION)' '$(COMMIT)' >$@

# The text of batch scripts as a string.
$(B)/schedulers/job_sh.h: schedulers/job.sh
	@mkdir -p $(@D)
	$(Q)sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< >$@

# The specs to begin with, which `qsvit init` writes.
TEMPLATES := cluster.yaml examples/cifar10.yaml examples/imagenet.yaml
# Texts that runner/ has as strings: dots in their names become underscores.
text_h = $(B)/runner/$(subst .,_,$(notdir $(1))).h
define text_rule
$(call text_h,$(1)): $(1)
	@mkdir -p $$(@D)
	$$(Q)sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $$< >$$@
endef
$(foreach t,$(TEMPLATES) runner/program/completion_bash.sh,$(eval $(call text_rule,$(t))))

# A page's parts as strings.
REPORT_PARTS := $(patsubst %,$(B)/%.inc,$(wildcard runner/report/page/*))
$(B)/runner/report/page/%.inc: runner/report/page/%
	@mkdir -p $(@D)
	$(Q)sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< >$@

$(B)/report/vega.js: scripts/vega.sh $(wildcard $(VEGA_PARTS)/*.min.js)
	@mkdir -p $(@D)
	$(Q)scripts/vega.sh $(VEGA_PARTS) >$@

define folder_rules
# The list notices a source file that was taken away.
$(B)/lib/$(1).list: FORCE
	@mkdir -p $$(@D)
	@echo '$(call objects,$(1))' | cmp -s - $$@ || echo '$(call objects,$(1))' >$$@
$(call archive,$(1)): $(filter-out %/main.o,$(call objects,$(1))) $(B)/lib/$(1).list
	$$(call say,AR,$$@)
	$(Q)rm -f $$@
	$(Q)$$(AR) rcs $$@ $$(filter %.o,$$^)
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

$(B)/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $(EXTRA_CFLAGS) -MMD -MP -c $< -o $@

$(B)/runner/%.o: EXTRA_CFLAGS = $(MPI_CFLAGS)
$(B)/runner/base/version.o: EXTRA_CFLAGS = -I$(B)
$(B)/runner/base/version.o: $(B)/version.h
$(B)/schedulers/batch_script.o: EXTRA_CFLAGS = -I$(B)
$(B)/schedulers/batch_script.o: $(B)/schedulers/job_sh.h
$(B)/runner/program/templates.o $(B)/runner/program/completion_bash.o: EXTRA_CFLAGS = -I$(B)
$(B)/runner/program/templates.o: $(foreach t,$(TEMPLATES),$(call text_h,$(t)))
$(B)/runner/program/completion_bash.o: $(call text_h,runner/program/completion_bash.sh)
$(B)/runner/report/report_page.o: EXTRA_CFLAGS = -I$(B) $(MPI_CFLAGS)
$(B)/runner/report/report_page.o: $(REPORT_PARTS)
$(B)/core/engine/%.o: EXTRA_CFLAGS = $(OPENMP)
$(B)/core/quantizers/%.o: EXTRA_CFLAGS = $(QUANTIZER_CFLAGS)
$(B)/core/kernels/%.o: EXTRA_CFLAGS = $(KERNEL_CFLAGS) $(ISA_$(notdir $*))

$(B)/qsvit: $(B)/runner/main.o $(ARCHIVES)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(OPENMP) $(LDFLAGS) $< -Wl,--start-group $(ARCHIVES) -Wl,--end-group \
	    $(MPI_LIBS) $(LIB_LIBS) -lm -o $@

# Man pages and completions, as the program has them.
$(B)/share: $(B)/qsvit
	$(call say,DOC,$@)
	$(Q)rm -rf $@ $@.tmp && mkdir -p $@.tmp && $(B)/qsvit man --write $@.tmp && \
	    $(B)/qsvit completion bash >$@.tmp/qsvit && $(B)/qsvit completion zsh >$@.tmp/_qsvit && \
	    mv $@.tmp $@

# Only `make bench` asks for it, where oneDNN is installed.
$(B)/bench/peer_onednn: tests/bench/peer_onednn.c $(B)/flags
	$(call say,PEER,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(BASE_CFLAGS) $< $(LDFLAGS) -ldnnl -o $@

# A unit test links what its folder may include; MPI comes in with runner only.
below_core       := core
below_jobs       := jobs core
below_results    := results jobs core
below_schedulers := schedulers jobs core
below_runner     := runner schedulers results jobs core
below_mpi        := $(below_runner)
define test_rules
$(B)/tests/$(1)/%: $(2)/%.c $(foreach f,$(below_$(1)),$(call archive,$(f))) $(B)/flags
	$$(call say,TEST,$$<)
	@mkdir -p $$(@D)
	$(Q)$$(CC) $$(BASE_CFLAGS) $(if $(filter runner mpi,$(1)),$(MPI_CFLAGS)) -MMD -MP -MF $$@.d -MT $$@ $$< \
	    $(OPENMP) $$(LDFLAGS) -Wl,--start-group $$(filter %.a,$$^) -Wl,--end-group \
	    $(if $(filter runner mpi,$(1)),$(MPI_LIBS)) $(LIB_LIBS) -lcmocka -lm -o $$@
endef
$(foreach f,$(FOLDERS),$(eval $(call test_rules,$(f),tests/unit/$(f))))
$(eval $(call test_rules,mpi,tests/mpi))

$(B)/extended/%.inc: %.inc tests/extending/%.inc
	@mkdir -p $(@D)
	$(Q)cat $^ >$@

define extended_rule
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -I$(B)/extended $(BASE_CFLAGS) -MMD -MP -c $< -o $@
endef
$(B)/extended/%.o: tests/extending/%.c $(LISTS:%=$(B)/extended/%) $(B)/flags
	$(extended_rule)
$(B)/extended/%.o: %.c $(LISTS:%=$(B)/extended/%) $(B)/flags
	$(extended_rule)

# What is compiled anew comes before the archives, and takes the place of what they hold.
$(B)/extended/qsvit: $(B)/runner/main.o $(EXTENDED) $(ARCHIVES)
$(EXTENDED_TEST): $(B)/extended/test_extending.o $(EXTENDED) $(ARCHIVES)
$(EXTENDED_TEST): TEST_LIBS := -lcmocka
$(B)/extended/qsvit $(EXTENDED_TEST):
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(OPENMP) $(LDFLAGS) $(filter %.o,$^) -Wl,--start-group $(ARCHIVES) -Wl,--end-group \
	    $(MPI_LIBS) $(LIB_LIBS) $(TEST_LIBS) -lm -o $@

$(FUZZ_TARGETS): $(B)/tests/fuzz/%: $(B)/tests/fuzz/targets/%.o $(FUZZ_SHARED) $(FUZZ_MAIN) $(ARCHIVES) $(B)/flags
	$(call say,FUZZ,$@)
	$(Q)$(CC) $(CFLAGS) $(OPENMP) $(if $(FUZZER),-fsanitize=fuzzer) $(LDFLAGS) $(filter %.o,$^) \
	    -Wl,--start-group $(ARCHIVES) -Wl,--end-group $(MPI_LIBS) $(LIB_LIBS) -lcmocka -lm -o $@

FORCE:
.PHONY: all run test check unit replay asan fuzz fuzzers bench soak test-slurm test-reference test-report test-package dist deb lint programs deps install uninstall clean help \
        packages FORCE
.DELETE_ON_ERROR:
.SECONDARY:

-include $(wildcard $(patsubst %.c,$(B)/%.d,$(SOURCES) $(wildcard tests/fuzz/*.c tests/fuzz/targets/*.c)) $(addsuffix .d,$(UNIT_TESTS) $(MPI_TESTS)) \
          $(EXTENDED:.o=.d) $(B)/extended/test_extending.d)
