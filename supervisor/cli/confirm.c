/* One question with two answers on the terminal; nothing but a clear yes is a yes. */

#include <poll.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "supervisor/cli/cli.h"

#define ESCAPE_MS	50	/* what belongs to an arrow key follows at once; a lone Esc does not */

enum key { KEY_OTHER, KEY_TOGGLE, KEY_YES, KEY_NO, KEY_ENTER, KEY_CANCEL };

static void
draw(const char *question, bool yes)
{
	(void)printf("\r\033[K%s   %s[ Confirm ]%s  %s[ Cancel ]%s ", question, yes ? "\033[7m" : "", "\033[0m", yes ? "" : "\033[7m",
	    "\033[0m");
	(void)fflush(stdout);
}

/* Behind an Esc: arrow left or right, or nothing. */
static enum key
escape_key(void)
{
	struct pollfd	 in = { .fd = STDIN_FILENO, .events = POLLIN };
	char		 c[2] = "";

	if (poll(&in, 1, ESCAPE_MS) != 1 || read(STDIN_FILENO, c, sizeof(c)) != (ssize_t)sizeof(c))
		return KEY_CANCEL;
	return (c[0] == '[' || c[0] == 'O') && (c[1] == 'C' || c[1] == 'D') ? KEY_TOGGLE : KEY_OTHER;
}

static enum key
read_key(void)
{
	char	 c;

	if (read(STDIN_FILENO, &c, 1) != 1)
		return KEY_CANCEL;
	switch (c) {
	case '\033':
		return escape_key();
	case 3:		/* Ctrl-C */
	case 4:
	case 'q':
		return KEY_CANCEL;
	case '\t':
	case 'h':
	case 'l':
		return KEY_TOGGLE;
	case 'y':
	case 'Y':
		return KEY_YES;
	case 'n':
	case 'N':
		return KEY_NO;
	case '\r':
	case '\n':
		return KEY_ENTER;
	default:
		return KEY_OTHER;
	}
}

static bool
ask(const char *question)
{
	bool	 yes = false;

	for (;;) {
		draw(question, yes);
		switch (read_key()) {
		case KEY_TOGGLE:
			yes = !yes;
			break;
		case KEY_YES:
			return true;
		case KEY_NO:
		case KEY_CANCEL:
			return false;
		case KEY_ENTER:
			return yes;
		case KEY_OTHER:
			break;
		}
	}
}

int
confirm(const char *title, const char *question)
{
	struct termios	 was, raw;
	bool		 yes;

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &was) == -1)
		return -1;
	raw = was;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == -1)
		return -1;
	(void)printf("%s\n", title);
	yes = ask(question);
	(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &was);
	(void)puts(yes ? "\nConfirmed." : "\nCancelled.");
	return yes;
}
