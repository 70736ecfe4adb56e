# make install DESTDIR= PREFIX=

INSTALL ?= install

# all drivers but the one that fails on command, which is for tests
INSTALLED_MODULES = $(filter-out %/fault.so,$(MODULES))

# where the shells look by themselves
BASH_COMPLETION = $(DESTDIR)$(SHAREDIR)/bash-completion/completions
ZSH_COMPLETION  = $(DESTDIR)$(SHAREDIR)/zsh/vendor-completions
FISH_COMPLETION = $(DESTDIR)$(SHAREDIR)/fish/vendor_completions.d

install: programs
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DRIVERDIR) $(DESTDIR)$(DOCDIR) \
		$(DESTDIR)$(UNITDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5 \
		$(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION)
	$(INSTALL) -m 755 $(B)/eds $(B)/edsctl $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 755 $(B)/eds-worker $(DESTDIR)$(LIBEXECDIR)
	$(INSTALL) -m 755 $(INSTALLED_MODULES) $(DESTDIR)$(DRIVERDIR)
	$(INSTALL) -m 644 etc/eds.conf README.md LICENSE $(DESTDIR)$(DOCDIR)
	sed 's,@BINDIR@,$(BINDIR),g' etc/eds.service > $(DESTDIR)$(UNITDIR)/eds.service
	chmod 644 $(DESTDIR)$(UNITDIR)/eds.service
	$(INSTALL) -m 644 supervisor/eds.8 supervisor/control/edsctl.8 $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 644 supervisor/config/eds.conf.5 $(DESTDIR)$(MANDIR)/man5
	for p in eds edsctl; do \
		$(B)/$$p completion bash > $(BASH_COMPLETION)/$$p && \
		$(B)/$$p completion zsh > $(ZSH_COMPLETION)/_$$p && \
		$(B)/$$p completion fish > $(FISH_COMPLETION)/$$p.fish && \
		chmod 644 $(BASH_COMPLETION)/$$p $(ZSH_COMPLETION)/_$$p $(FISH_COMPLETION)/$$p.fish || exit 1; \
	done

.PHONY: install
