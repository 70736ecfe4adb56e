/*
 * The driver thread of an import: files in, rows to the driver, and word of it
 * to the supervisor, which knows what came of the job when this process dies.
 */

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/import.h"
#include "worker/lots.h"
#include "worker/tasks.h"

#define ROOM_MOST	((size_t)4 << 20)	/* of rows in memory, whatever batch a driver would take */
#define ROOM_LEAST	((size_t)256 << 10)
#define PROGRESS_US	500000u
#define REJECTED_FLOOD	100u			/* rows, after which it is made sure that they were heard of */

struct import {
	struct life		 life;
	bool			 dry;		/* the driver is not called */
	struct task		 job;		/* IPC_IMPORT; `what` 0 before */
	struct lots		*lots;
	struct gate		*gate;		/* NULL: no rules */
	struct arena		 paths;		/* of the rows at hand */
	/* the file at hand */
	struct task		 file;
	uint64_t		 rows, bytes;	/* so far */
	uint64_t		 rejected, skipped;
	uint64_t		 told_us;
};

/* What became of a step within a file. */
enum step {
	S_DONE,
	S_AGAIN,		/* the file once more, from its beginning */
	S_DAMAGED,
	S_OVER,			/* the verdict says how the process ends; V_GOES_ON: the job was aborted */
};

/* The rest of the job is of no interest any more. */
static bool
given_up(struct import *im)
{
	struct worker	*w = im->life.w;
	bool		 yes;

	worker_lock(w);
	yes = w->end != WORKER_GOES_ON || tasks_abort_wanted(&w->tasks);
	worker_unlock(w);
	return yes;
}

static enum step
over(enum verdict *v, enum verdict verdict)
{
	*v = verdict;
	return S_OVER;
}

/* --- telling --- */

static void
send_progress(struct import *im)
{
	uint64_t	 now = mono_us();

	if (now - im->told_us < PROGRESS_US)
		return;
	im->told_us = now;
	report_send(im->life.w->report, IPC_IMPORT_PROGRESS, &(union ipc_body){ .import_progress = {
		.file = im->file.file, .rows = im->rows, .rejected = im->rejected, .bytes = im->bytes,
		.skipped = im->skipped } });
}

static void
send_rejected(struct import *im, uint64_t row, const char *reason, struct slice text)
{
	report_send(im->life.w->report, IPC_IMPORT_REJECTED, &(union ipc_body){ .import_rejected = {
		.file = im->file.file, .row = row, .reason = slice_of(reason), .payload = text } });
	if (++im->rejected % REJECTED_FLOOD == 0)
		report_await_sent(im->life.w->report);
}

static void
send_file_done(struct import *im, const char *damaged)
{
	report_send(im->life.w->report, IPC_IMPORT_FILE_DONE, &(union ipc_body){ .import_file_done = {
		.file = im->file.file, .rows = im->rows - im->rejected - im->skipped,
		.rejected = im->rejected, .bytes = im->bytes, .skipped = im->skipped, .damaged = slice_of(damaged) } });
}

/* --- rows --- */

static void
lot_remove(struct lot *lot, size_t i)
{
	lot->bytes -= lot->v[i].payload.n;
	lot->n--;
	(void)memmove(lot->v + i, lot->v + i + 1, (lot->n - i) * sizeof(*lot->v));
}

static enum step
after_failure(struct import *im, const char *call, enum drv_result rc, const struct err *err, struct retry *retry, enum verdict *v)
{
	struct life	*l = &im->life;

	switch (rc) {
	case DRV_RETRY:
	case DRV_UNSURE:
		return life_wait_to_retry(l, retry, err->text, 0) ? S_AGAIN : over(v, V_ENDS);
	case DRV_CONFIG:
		return over(v, life_give_up(l, V_CONFIG, err));
	case DRV_BROKEN:
		return over(v, life_give_up(l, V_BROKEN, err));
	case DRV_STORED:
	case DRV_REJECT:
		break;
	}
	return over(v, life_bad_result(l, call, (int)rc));
}

static enum drv_result
call_rows(struct import *im, const struct lot *lot, struct drv_outcome *out)
{
	const struct drv_batch	 view = { .v = lot->v, .n = lot->n, .bytes = lot->bytes };
	struct life		*l = &im->life;
	enum drv_result		 rc;

	*out = (struct drv_outcome){ .index = 0 };
	worker_call_begins(l->w);
	rc = l->driver->import_rows(l->drv, (size_t)im->file.table, &view, out);
	worker_call_ends(l->w);
	return rc;
}

/* Leaves those that the rules let through.  What cannot be checked ends the import: who knows what else it is about. */
static enum step
sift_rows(struct import *im, struct lot *lot, enum verdict *v)
{
	struct err		 err;
	size_t			 n = 0;

	arena_reset(&im->paths);
	for (size_t i = 0; i < lot->n; i++) {
		struct drv_event *e = &lot->v[i];
		const char *why;

		switch (gate_check(im->gate, e->ev, "row", e->seq, &im->paths, &e->path, &why)) {
		case RULES_FIT:
			lot->v[n++] = *e;
			continue;
		case RULES_FAILED:
			(void)err_set(&err, ERR_CONFIG, "row %" PRIu64 " of %s cannot be checked against the rules: %.500s", e->seq,
			    im->file.name, why);
			return over(v, life_give_up(&im->life, V_CONFIG, &err));
		case RULES_NOMEM:
			(void)err_set(&err, ERR_NOMEM, "no memory to hold a row against the rules");
			return over(v, life_give_up(&im->life, V_BROKEN, &err));
		case RULES_NONE:
		case RULES_DIFFER:
			im->skipped++;
			lot->bytes -= e->payload.n;
		}
	}
	lot->n = n;
	return S_DONE;
}

/* Offers the rows until they are stored or set aside. */
static enum step
store_rows(struct import *im, struct lot *lot, enum verdict *v)
{
	struct life		*l = &im->life;
	struct retry		 retry = { 0 };
	struct drv_outcome	 out;
	enum drv_result		 rc;
	enum step		 step;

	if (given_up(im))
		return over(v, V_GOES_ON);
	if (im->gate != NULL && (step = sift_rows(im, lot, v)) != S_DONE)
		return step;
	while (lot->n > 0 && !im->dry) {
		if ((rc = call_rows(im, lot, &out)) == DRV_STORED)
			break;
		if (rc == DRV_REJECT && out.index < lot->n) {
			send_rejected(im, lot->v[out.index].seq, life_said(out.err.text), lot->v[out.index].payload);
			lot_remove(lot, out.index);
			continue;
		}
		step = after_failure(im, "import_rows", rc, &out.err, &retry, v);
		/* What was not committed may be gone with the connection. */
		if (step != S_AGAIN || l->driver->import_commit != NULL)
			return step;
		if (given_up(im))
			return over(v, V_GOES_ON);
	}
	life_send_resolved(l, &retry, 0);
	return S_DONE;
}

/* The rows of the file at hand, once through. */
static enum step
walk_rows(struct import *im, enum verdict *v, struct err *err)
{
	enum step	 step;
	struct lot	*lot;

	do {
		lot = lots_next(im->lots);
		im->rows = lot->rows;
		im->bytes = lot->file_bytes;
		if ((step = store_rows(im, lot, v)) != S_DONE)
			return step;
		if (lot->then == ROWS_BAD)
			send_rejected(im, lot->rows, lot->err.text, lot->text);
		send_progress(im);
	} while (lot_goes_on(lot));
	*err = lot->err;
	if (lot->then == ROWS_END)
		return S_DONE;
	return lot->then == ROWS_DAMAGED ? S_DAMAGED : over(v, life_give_up(&im->life, V_BROKEN, err));
}

static enum step
load_rows(struct import *im, enum verdict *v, struct err *err)
{
	const struct drv_import_table	*t = &im->job.import.tables[im->file.table];
	const struct rows_source	 source = { .name = slice_of(im->file.name), .table = t->table, .version = t->version,
		.mvcc_timestamp = slice_of(im->file.mvcc_timestamp), .timestamp_ms = im->file.timestamp_ms };
	enum step			 step;

	im->rejected = im->skipped = im->rows = im->bytes = 0;
	if (lots_begin(im->lots, im->file.fd, &source, err) == -1)
		return over(v, life_give_up(&im->life, V_BROKEN, err));
	step = walk_rows(im, v, err);
	lots_end(im->lots);
	return step;
}

/* A driver that reads files itself gets this one whole. */
static enum step
load_whole(struct import *im, struct retry *retry, enum verdict *v)
{
	struct life	*l = &im->life;
	struct err	 err = { 0 };
	enum drv_result	 rc;

	worker_call_begins(l->w);
	rc = l->driver->import_file(l->drv, (size_t)im->file.table, im->file.fd, im->file.name, &err);
	worker_call_ends(l->w);
	return rc == DRV_STORED ? S_DONE : after_failure(im, "import_file", rc, &err, retry, v);
}

static enum step
commit(struct import *im, struct retry *retry, enum verdict *v)
{
	struct life	*l = &im->life;
	struct err	 err = { 0 };
	enum drv_result	 rc;

	if (im->dry || l->driver->import_commit == NULL)
		return S_DONE;
	worker_call_begins(l->w);
	rc = l->driver->import_commit(l->drv, &err);
	worker_call_ends(l->w);
	return rc == DRV_STORED ? S_DONE : after_failure(im, "import_commit", rc, &err, retry, v);
}

static enum verdict
load_file(struct import *im)
{
	struct retry	 retry = { 0 };
	struct err	 err = { 0 };
	enum verdict	 v = V_GOES_ON;
	enum step	 step = S_AGAIN;
	bool		 whole = im->life.driver->import_rows == NULL && !im->dry;

	while (step == S_AGAIN && !given_up(im)) {
		if (lseek(im->file.fd, 0, SEEK_SET) == -1) {
			(void)err_sys(&err, "reading a file of the export");
			return life_give_up(&im->life, V_BROKEN, &err);
		}
		step = whole ? load_whole(im, &retry, &v) : load_rows(im, &v, &err);
		if (step == S_DONE)
			step = commit(im, &retry, &v);
	}
	if (step == S_DONE || step == S_DAMAGED) {
		life_send_resolved(&im->life, &retry, 0);
		send_file_done(im, step == S_DAMAGED ? err.text : "");
	}
	return v;
}

/* --- the job --- */

static enum drv_result
call_begin(struct life *l, const struct import *im, struct err *err)
{
	return l->driver->import_begin(l->drv, &im->job.import, err);
}

static enum drv_result
call_end(struct life *l, const struct import *im, struct err *err)
{
	(void)im;
	return l->driver->import_end(l->drv, err);
}

/* A call about the job as a whole, for as long as it takes. */
static enum verdict
insist(struct import *im, const char *name, enum drv_result (*call)(struct life *, const struct import *, struct err *))
{
	struct life	*l = &im->life;
	struct retry	 retry = { 0 };
	enum verdict	 v = V_GOES_ON;
	enum drv_result	 rc;
	struct err	 err;
	enum step	 step;

	do {
		err = (struct err){ 0 };
		worker_call_begins(l->w);
		rc = call(l, im, &err);
		worker_call_ends(l->w);
		step = rc == DRV_STORED ? S_DONE : after_failure(im, name, rc, &err, &retry, &v);
	} while (step == S_AGAIN);
	if (step == S_DONE)
		life_send_resolved(l, &retry, 0);
	return v;
}

static enum verdict
begin_job(struct import *im)
{
	enum verdict	 v = V_GOES_ON;

	if (!im->dry && im->life.driver->import_begin != NULL)
		v = insist(im, "import_begin", call_begin);
	if (v == V_GOES_ON)
		report_send(im->life.w->report, IPC_IMPORT_BEGUN, &(union ipc_body){ .empty = { 0 } });
	return v;
}

static enum verdict
end_job(struct import *im)
{
	enum verdict	 v = V_GOES_ON;

	if (!im->dry && im->life.driver->import_end != NULL)
		v = insist(im, "import_end", call_end);
	if (v == V_GOES_ON)
		report_send(im->life.w->report, IPC_IMPORT_ENDED, &(union ipc_body){ .empty = { 0 } });
	return v;
}

static void
abort_job(struct import *im)
{
	struct life	*l = &im->life;

	if (im->job.what == 0 || im->dry || l->driver->import_abort == NULL)
		return;
	worker_call_begins(l->w);
	l->driver->import_abort(l->drv);
	worker_call_ends(l->w);
}

/* Waits for something to do; false when the worker is to end. */
static bool
next_task(struct import *im, struct task *t)
{
	struct worker	*w = im->life.w;
	bool		 have;

	worker_lock(w);
	while (!(have = tasks_take(&w->tasks, t)) && w->end == WORKER_GOES_ON)
		worker_wait(w, UINT64_MAX);
	have = have && w->end == WORKER_GOES_ON;
	worker_unlock(w);
	return have;
}

static enum verdict
nonsense(struct import *im, const struct task *t)
{
	struct err	 err;

	(void)err_set(&err, ERR_INVALID, "message %s makes no sense at this point of an import", ipc_type_name(t->what));
	return life_give_up(&im->life, V_BROKEN, &err);
}

/* *last_r: nothing comes behind it. */
static enum verdict
do_task(struct import *im, struct task *t, bool *last_r)
{
	if ((t->what == IPC_IMPORT) != (im->job.what == 0) && t->what != IPC_IMPORT_ABORT)
		return nonsense(im, t);
	switch (t->what) {
	case IPC_IMPORT:
		im->job = *t;
		*t = (struct task){ .fd = -1 };
		return begin_job(im);
	case IPC_IMPORT_FILE:
		if (t->table >= im->job.import.ntables)
			return nonsense(im, t);
		im->file = *t;		/* the caller frees it */
		return given_up(im) ? V_GOES_ON : load_file(im);
	case IPC_IMPORT_END:
		*last_r = true;
		return end_job(im);
	default:
		*last_r = true;
		abort_job(im);
		return V_GOES_ON;
	}
}

static enum verdict
work(struct import *im)
{
	enum verdict	 v = V_GOES_ON;
	struct task	 t = { .fd = -1 };
	bool		 last = false;

	while (v == V_GOES_ON && !last && next_task(im, &t)) {
		v = do_task(im, &t, &last);
		task_free(&t);
	}
	task_free(&t);
	return v == V_GOES_ON && !last ? V_ENDS : v;
}

/* --- life --- */

static enum verdict
reserve(struct import *im)
{
	const struct life	*l = &im->life;
	size_t			 wished = l->w->settings.limits.batch_events, most = l->driver->batch_events;
	size_t			 room = l->driver->batch_bytes;
	struct err		 err;

	most = wished > 0 && wished < most ? wished : most;
	room = room > ROOM_MOST ? ROOM_MOST : room < ROOM_LEAST ? ROOM_LEAST : room;
	return lots_new(&im->lots, most, room, &err) == 0 ? V_GOES_ON : life_give_up(&im->life, V_BROKEN, &err);
}

static enum verdict
check_support(struct import *im)
{
	const struct driver	*d = im->life.driver;
	struct err		 err;

	if (d->import_rows != NULL || d->import_file != NULL)
		return V_GOES_ON;
	(void)err_set(&err, ERR_CONFIG, "the driver %s supports no import", d->id);
	return life_give_up(&im->life, V_CONFIG, &err);
}

static enum verdict
take_rules(struct import *im)
{
	if (im->life.w->settings.rules[0] != '\0' && im->life.driver->import_rows == NULL) {
		log_warn(&im->life.log, "the destination reads the files of an import itself, so the rules of schema_validator are not "
		    "applied to it");
		return V_GOES_ON;
	}
	return life_gate(&im->life, &im->gate);
}

static void
send_ready(struct import *im)
{
	report_send(im->life.w->report, IPC_READY, &(union ipc_body){ .ready = { .driver = slice_of(im->life.driver->id),
		.rules = im->life.w->settings.rules[0] != '\0' } });
}

static void
release(struct import *im)
{
	lots_free(&im->lots);
	gate_free(&im->gate);
	arena_free(&im->paths);
	task_free(&im->job);
}

void *
import_main(void *arg)
{
	struct import	 im = { .job.fd = -1 };
	enum verdict	 v;

	life_begin(&im.life, arg);
	im.dry = im.life.w->settings.limits.mode == IPC_MODE_IMPORT_DRY;
	if ((v = life_load(&im.life)) == V_GOES_ON && (v = check_support(&im)) == V_GOES_ON &&
	    (v = reserve(&im)) == V_GOES_ON && (v = take_rules(&im)) == V_GOES_ON && (im.dry || (v = life_open(&im.life)) == V_GOES_ON)) {
		send_ready(&im);
		v = work(&im);
	}
	life_close(&im.life);
	release(&im);
	life_end(&im.life, v);
	return NULL;
}
