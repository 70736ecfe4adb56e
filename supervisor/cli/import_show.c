/* How far an import is. */

#include <stdio.h>
#include <unistd.h>

#include "ipc/base/clock.h"
#include "supervisor/cli/cli.h"
#include "supervisor/control/edsctl_text.h"

#define LOG_EVERY_MS	10000

static bool	line_open;
static mono_t	said_at;

void
import_show(const struct log *lg, const struct text_import *p)
{
	struct buf	 b = { 0 };

	text_import(&b, p);
	if (isatty(STDOUT_FILENO)) {
		(void)printf("\r\033[K%.*s", (int)text_width(STDOUT_FILENO) - 1, buf_cstr(&b));
		(void)fflush(stdout);
		line_open = true;
	} else if (mono_now() - said_at >= LOG_EVERY_MS) {
		if (said_at != 0)
			log_info(lg, "%s", buf_cstr(&b));
		said_at = mono_now();
	}
	buf_free(&b);
}

void
import_show_end(void)
{
	if (line_open)
		(void)putchar('\n');
	line_open = false;
}
