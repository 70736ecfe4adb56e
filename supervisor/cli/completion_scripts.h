#ifndef EDS_COMPLETION_SCRIPTS_H
#define EDS_COMPLETION_SCRIPTS_H

#include "ipc/base/buf.h"

/* What eds and edsctl share of completing their command lines. */
struct completion_script {
	const char	*shell, *script;
};
extern const struct completion_script completion_scripts[];	/* up to a NULL shell */

/* Prints the script for a shell; -1, after a word to stderr, when there is none. */
int	 completion_print(const char *program, const char *shell);

/*
 * Hands `complete` the words of the command line up to the cursor, which stand on standard input, one a line, the one
 * under the cursor last: arguments could be read by everybody on the machine.  Prints what it says: one candidate per
 * line and its help behind a tab, or ":files" or ":folders" for those of the disk.
 */
void	 completion_answer(void (*complete)(struct slice words, struct buf *out));

/* A candidate of two parts, if it begins with the word under the cursor. */
void	 completion_offer(struct buf *out, struct slice word, const char *before, const char *text, const char *help);

#endif
