# make install DESTDIR= PREFIX=

INSTALL ?= install

# all drivers but the one that fails on command, which is for tests
INSTALLED_MODULES = $(filter-out %/fault.so,$(MODULES))

# where the shells look by themselves
BASH_COMPLETION = $(DESTDIR)$(SHAREDIR)/bash-completion/completions/eds
ZSH_COMPLETION  = $(DESTDIR)$(SHAREDIR)/zsh/vendor-completions/_eds
FISH_COMPLETION = $(DESTDIR)$(SHAREDIR)/fish/vendor_completions.d/eds.fish

install: programs
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBEXECDIR) $(DESTDIR)$(DRIVERDIR) $(DESTDIR)$(DOCDIR) \
		$(DESTDIR)$(UNITDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(MANDIR)/man5 \
		$(dir $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION))
	$(INSTALL) -m 755 $(B)/eds $(B)/edsctl $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 755 $(B)/eds-worker $(DESTDIR)$(LIBEXECDIR)
	$(INSTALL) -m 755 $(INSTALLED_MODULES) $(DESTDIR)$(DRIVERDIR)
	$(INSTALL) -m 644 etc/eds.conf README.md LICENSE $(DESTDIR)$(DOCDIR)
	sed 's,@BINDIR@,$(BINDIR),g' etc/eds.service > $(DESTDIR)$(UNITDIR)/eds.service
	chmod 644 $(DESTDIR)$(UNITDIR)/eds.service
	$(INSTALL) -m 644 supervisor/eds.8 supervisor/control/edsctl.8 $(DESTDIR)$(MANDIR)/man8
	$(INSTALL) -m 644 supervisor/config/eds.conf.5 $(DESTDIR)$(MANDIR)/man5
	$(B)/eds completion bash > $(BASH_COMPLETION)
	$(B)/eds completion zsh > $(ZSH_COMPLETION)
	$(B)/eds completion fish > $(FISH_COMPLETION)
	chmod 644 $(BASH_COMPLETION) $(ZSH_COMPLETION) $(FISH_COMPLETION)

.PHONY: install
