/* The first start without enrollment: asks for the code. */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/cli/cli.h"

#define PIPE_WAIT_MS	30000	/* for a script that hands the code over */

static void
say(const char *colour, const char *text)
{
	const char	*term = getenv("TERM");

	if (isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL && (term == NULL || strcmp(term, "dumb") != 0))
		(void)printf("%s%s\033[0m", colour, text);
	else
		(void)fputs(text, stdout);
	(void)fflush(stdout);
}

/* Somebody, or a script, may answer; /dev/null never does. */
static bool
somebody_there(void)
{
	struct pollfd	 in = { .fd = STDIN_FILENO, .events = POLLIN };
	struct stat	 st;

	if (isatty(STDIN_FILENO))
		return true;
	if (fstat(STDIN_FILENO, &st) == -1 || S_ISCHR(st.st_mode))
		return false;
	return S_ISREG(st.st_mode) || poll(&in, 1, PIPE_WAIT_MS) == 1;
}

/* One line without its end; false and a reason when there is none. */
static bool
read_line(struct buf *line, const char **why)
{
	for (;;) {
		int c = getchar();

		if (c == EOF) {
			*why = ferror(stdin) ? "the input cannot be read" : "EOF";
			return line->len > 0;
		}
		if (c == '\n')
			return true;
		if (line->len < 1000)
			buf_addc(line, (char)c);
	}
}

int
prompt_enroll(const char *data_dir, const char *api_url)
{
	struct log	 lg;
	struct buf	 line = { 0 };
	const char	*why = "";
	int		 rc = -1;

	log_make(&lg, "server", NULL);
	if (!somebody_there()) {
		log_error(&lg, "this server is not enrolled: run `%s enroll CODE --data-dir %s` with the code from HQ, then start it again",
		    cli_program(), data_dir);
		return 1;
	}
	say("\033[1;33m", "Welcome to Shopmonkey EDS!\n\n");
	while (rc == -1) {
		struct err err = { 0 };
		struct slice code;

		say("\033[1;37m", "Enter one-time enrollment code: ");
		buf_reset(&line);
		if (!read_line(&line, &why)) {
			log_error(&lg, "failed to read enrollment code: %s", why);
			rc = 1;
			break;
		}
		code = slice_trim(buf_slice(&line));
		if (code.n == 0)
			rc = 1;
		else if (memchr(code.p, ' ', code.n) != NULL || memchr(code.p, '\t', code.n) != NULL) {
			log_error(&lg, "failed to read enrollment code: expected one word");
			rc = 1;
		} else if (enroll(buf_cstr(&line), data_dir, api_url, &err) == 0) {
			log_info(&lg, "Enrollment successful!");
			rc = 0;
		} else {
			log_error(&lg, "%s", err.text);
			say("", "\n");
		}
	}
	buf_free_wiped(&line);
	return rc;
}
