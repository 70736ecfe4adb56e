/* The end of a worker, for people. */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "supervisor/child/obituary.h"

static obituary_fn	 listener;
static void		*listener_arg;

void
obituary_listen(obituary_fn fn, void *arg)
{
	listener = fn;
	listener_arg = arg;
}

void
obituary_tell(const char *name, pid_t pid, const char *how, const struct last_words *words)
{
	if (listener != NULL)
		listener(listener_arg, name, pid, how, words);
}

void
obituary(char *out, size_t size, int st)
{
	if (WIFSIGNALED(st))
		(void)snprintf(out, size, "killed by signal %d (%s)%s", WTERMSIG(st), strsignal(WTERMSIG(st)),
		    WCOREDUMP(st) ? ", core dumped" : "");
	else
		(void)snprintf(out, size, "exit status %d", WEXITSTATUS(st));
}

static void
keep_line(struct last_words *lw, void (*fn)(void *, const char *), void *arg)
{
	char	*line;

	lw->partial[lw->partial_n] = '\0';
	lw->partial_n = 0;
	if (lw->partial[0] == '\0')
		return;
	if (fn != NULL)
		fn(arg, lw->partial);
	if ((line = strdup(lw->partial)) == NULL)
		return;
	if (lw->n == NELEM(lw->line)) {
		free(lw->line[0]);
		(void)memmove(lw->line, lw->line + 1, sizeof(lw->line) - sizeof(lw->line[0]));
		lw->n--;
	}
	lw->line[lw->n++] = line;
}

void
last_words_add(struct last_words *lw, struct slice s, void (*fn)(void *, const char *), void *arg)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' || lw->partial_n == sizeof(lw->partial) - 1)
			keep_line(lw, fn, arg);
		if (s.p[i] != '\n')
			lw->partial[lw->partial_n++] = (unsigned char)s.p[i] < ' ' ? ' ' : s.p[i];
	}
}

void
last_words_clear(struct last_words *lw)
{
	while (lw->n > 0)
		free(lw->line[--lw->n]);
	lw->partial_n = 0;
}
