/* Rows that a destination refuses, and lines that are no rows. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/base/json_out.h"
#include "supervisor/import/import_private.h"

#define REASON_MOST	400u	/* bytes of it, in a log line */

void
import_rejects_close(struct import *im)
{
	if (im->rejects_fd != -1)
		(void)close(im->rejects_fd);
	im->rejects_fd = -1;
}

void
import_rejects_forget(struct import_file *f)
{
	free(f->refused);
	f->refused = NULL;
	f->n_refused = f->refused_cap = 0;
}

/*
 * Whether the row is new among the refused ones of its file, which may come once more.  Their order says nothing:
 * of one batch a row without a key is found before an earlier one that the destination refuses.
 */
static int
note_row(struct import_file *f, uint64_t row, bool *new_r, struct err *err)
{
	size_t		 low = 0, high = f->n_refused, cap = f->refused_cap == 0 ? 16 : f->refused_cap * 2;
	uint64_t	*grown;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (f->refused[middle] < row)
			low = middle + 1;
		else
			high = middle;
	}
	*new_r = low == f->n_refused || f->refused[low] != row;
	if (!*new_r)
		return 0;
	if (f->n_refused == f->refused_cap) {
		if ((grown = reallocarray(f->refused, cap, sizeof(*grown))) == NULL)
			return err_set(err, ERR_NOMEM, "the refused rows of an import");
		f->refused = grown;
		f->refused_cap = cap;
	}
	(void)memmove(f->refused + low + 1, f->refused + low, (f->n_refused - low) * sizeof(*f->refused));
	f->refused[low] = row;
	f->n_refused++;
	return 0;
}

/* One line of <data dir>/import-rejected-NAME.ndjson. */
static void
set_aside(struct import *im, const struct import_file *f, const struct ipc_import_rejected_body *b)
{
	struct buf	 line = { 0 };
	char		 path[4096];

	if (im->rejects_fd == -1) {
		(void)snprintf(path, sizeof(path), "%s/import-rejected-%s.ndjson", im->host.data_dir, im->destination);
		im->rejects_fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND | (im->resumed && im->rec.rejected > 0 ? 0 : O_TRUNC), 0600);
		log_warn(&im->log, "rows that %s refuses are written to %s", im->destination, path);
	}
	buf_adds(&line, "{\"file\":");
	json_out_str(&line, slice_of(f->name));
	buf_printf(&line, ",\"row\":%llu,\"reason\":", (unsigned long long)b->row);
	json_out_str(&line, b->reason);
	buf_adds(&line, ",\"text\":");
	json_out_str(&line, b->payload);
	buf_adds(&line, "}\n");
	if (line.oom || write(im->rejects_fd, line.data, line.len) != (ssize_t)line.len)
		log_error(&im->log, "row %llu of %s was refused and cannot be written down", (unsigned long long)b->row, f->name);
	buf_free(&line);
}

int
import_reject(struct import *im, struct import_file *f, const struct ipc_import_rejected_body *b, struct err *err)
{
	int	 shown = (int)(b->reason.n > REASON_MOST ? REASON_MOST : b->reason.n);
	char	 text[700];
	bool	 is_new;

	if (note_row(f, b->row, &is_new, err) == -1)
		return -1;
	if (!is_new)
		return 0;
	im->rec.rejected++;
	log_warn(&im->log, "row %llu of %s is refused: " SLICE_FMT, (unsigned long long)b->row, f->name, shown, b->reason.p);
	if (im->rec.rejected > im->rec.reject_limit) {
		(void)snprintf(text, sizeof(text), "%s rows were refused, the last one is row %llu of %s: " SLICE_FMT,
		    im->rec.reject_limit == 0 ? "some" : "too many", (unsigned long long)b->row, f->name, shown, b->reason.p);
		import_stop(im, IMPORT_FAILED, text);
		return 0;
	}
	if (!im->dry)
		set_aside(im, f, b);
	return 0;
}
