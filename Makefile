# qsvit: build, tests and the default sweep. `make help` lists the targets.
B       ?= build
PREFIX  ?= /usr/local
CC      ?= cc
CFLAGS  ?= -O2 -g
CONFIG  := libarchive hdf5 yaml-0.1 zlib jansson libxxhash
CONFIG_CFLAGS := $(shell pkg-config --cflags $(CONFIG) 2>/dev/null)
CONFIG_LIBS   := $(shell pkg-config --libs $(CONFIG) 2>/dev/null)
WARN    := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla 
WARN += $(if $(findstring clang,$(CC)),,-Wno-format-truncation)
ALL_CFLAGS = -std=gnu11 $(WARN) -I. $(CONFIG_CFLAGS) -ffp-contract=off -MMD -MP $(CFLAGS)

FOLDERS := core jobs results schedulers
lib = $(B)/lib/libqsv_$(1).a
LIBS := $(foreach f,results schedulers jobs core,$(call lib,$(f)))
TESTS := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/*/test_*.c))

all: $(LIBS)

define folder_rules
$(1)_OBJ := $$(patsubst %.c,$(B)/%.o,$$(wildcard $(1)/*.c $(1)/*/*.c))
$$(call lib,$(1)): $$($(1)_OBJ)
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call folder_rules,$(f))))

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -c $< -o $@

$(B)/tests/%: tests/unit/%.c $(LIBS)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $< -o $@ -Wl,--start-group $(LIBS) -Wl,--end-group $(CONFIG_LIBS) -lcmocka -lm

unit: $(TESTS)
	@for t in $(TESTS); do echo "== $$t"; $$t || exit 1; done

clean:
	rm -rf $(B)

-include $(shell find $(B) -name '*.d' 2>/dev/null)
.PHONY: all unit clean
$(B)/core/kernels/avx2.o: ALL_CFLAGS += -O3 -mavx2 -mfma -Wno-psabi
$(B)/core/kernels/avx512.o: ALL_CFLAGS += -O3 -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512 -Wno-psabi
