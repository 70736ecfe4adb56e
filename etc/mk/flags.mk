# Compiler and linker flags: warnings, hardening, sanitizers.

CC        ?= cc
ifeq ($(origin CC),default)
CC         = gcc
endif
PKG_CONFIG ?= pkg-config
PREFIX    ?= /usr/local
DESTDIR   ?=
BINDIR     = $(PREFIX)/bin
LIBEXECDIR = $(PREFIX)/libexec/eds
DRIVERDIR  = $(PREFIX)/lib/eds/drivers
SHAREDIR   = $(PREFIX)/share
MANDIR     = $(SHAREDIR)/man
DOCDIR     = $(SHAREDIR)/doc/eds
UNITDIR   ?= $(PREFIX)/lib/systemd/system

WARNINGS   = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wcast-qual -Wformat=2 -Wvla -Wundef
WERROR    ?= -Werror
OPT       ?= -O2 -g
HARDEN     = -fstack-protector-strong -fno-strict-aliasing -fPIC
LDHARDEN   = -Wl,-z,relro,-z,now

ifeq ($(SAN),)
B          = build
FORTIFY    = -D_FORTIFY_SOURCE=2
else
B          = build-san
SANFLAGS   = -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
OPT        = -O1 -g
endif

VERSION    := $(shell cat etc/VERSION)
CPPFLAGS_ALL = -I. -D_GNU_SOURCE $(FORTIFY) -DEDS_VERSION='"$(VERSION)"' \
	-DEDS_LIBEXECDIR='"$(LIBEXECDIR)"' -DEDS_DRIVERDIR='"$(DRIVERDIR)"' $(CPPFLAGS)
CFLAGS_ALL = -std=c11 $(OPT) $(WARNINGS) $(WERROR) $(HARDEN) $(SANFLAGS) $(CFLAGS)
LDFLAGS_ALL = $(SANFLAGS) $(LDHARDEN) $(LDFLAGS)

# Packages without a .pc file are named by hand.
pc = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)
LIBS_IPC        = $(call pc,msgpack)
LIBS_RULES      = $(call pc,libpcre2-8)
LIBS_SUPERVISOR = $(call pc,libnats lmdb inih jansson libcurl libmicrohttpd libcrypto zlib) $(LIBS_RULES) $(LIBS_IPC) -lev -lm -lpthread
LIBS_WORKER     = $(LIBS_IPC) $(call pc,jansson libisal) $(LIBS_RULES) -ldl -lpthread
LIBS_EDSCTL     = $(call pc,jansson) $(LIBS_IPC) -lm
LIBS_TEST       = $(call pc,cmocka)
