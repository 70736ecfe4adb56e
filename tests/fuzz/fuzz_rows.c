/*
 * Any bytes as a file of an export, and as the name of one.  Rows are inside the
 * bytes that were unpacked, numbered without a gap, and it ends.
 */

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "supervisor/import/export_name.h"
#include "worker/rows.h"

#define ROWS_MOST	100000u

int	LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool ok, const char *what)
{
	if (!ok)
		bug("%s", what);
}

static void
walk(int fd, size_t room)
{
	const struct rows_source source = { .name = SLICE("f"), .table = SLICE("t"), .version = SLICE("v"),
		.mvcc_timestamp = SLICE("1.0") };
	struct rows		*rows = NULL;
	struct event		 ev = { .op = EVENT_INSERT };
	struct rows_text	 spare = { NULL, 0 };
	struct slice		 text;
	struct err		 err;
	enum rows_result	 r;
	uint64_t		 n = 0;

	must(lseek(fd, 0, SEEK_SET) == 0 && rows_new(&rows, fd, room, &source, &err) == 0, "no reader");
	do {
		r = rows_next(rows, &ev, &text, &err);
		if (r == ROWS_PAUSE)
			must(rows_turn(rows, &spare), "no memory");
		if (r == ROWS_ROW || r == ROWS_BAD)
			must(rows_count(rows) == ++n, "a row that was not counted");
		if (r == ROWS_ROW)
			must(ev.primary_key.p != NULL && ev.after.type == JV_OBJECT && ev.id.n == 16, "an event that is none");
		if (r == ROWS_BAD || r == ROWS_DAMAGED)
			must(err.text[0] != '\0', "refused without a reason");
	} while (r != ROWS_END && r != ROWS_DAMAGED && r != ROWS_NOMEM && n < ROWS_MOST);
	event_free(&ev);
	free(spare.p);
	rows_free(&rows);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct slice		 path = { len == 0 ? "" : (const char *)data, len };
	struct export_name	 name;
	int			 fd = memfd_create("rows", MFD_CLOEXEC);

	if (export_name_parse(path, &name))
		must(name.file.n <= len && name.table.n < name.file.n, "more than there was");
	must(fd != -1 && write(fd, data, len) == (ssize_t)len, "no file");
	walk(fd, 64);
	walk(fd, 1 << 16);
	(void)close(fd);
	return 0;
}
