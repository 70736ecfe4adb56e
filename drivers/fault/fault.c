/*
 * The fault driver: does what a file tells it to, so that tests can have a
 * destination that is down, slow, picky, hung or dead at the moment they like.
 *
 *	fault:///tmp/commands?store=/tmp/stored
 *
 * The URL's path names the command file, which is read again before every call.
 * No file means `ok`.  One command per line, obeyed from top to bottom; the first
 * that decides the outcome ends the reading, and where none does the call
 * succeeds.  A command is for deliver(), unless the name of another call stands
 * in front of it: `test: hang`, `import_rows: crash`, `open: retry TEXT`.
 *
 *	ok			go on
 *	slow MS			wait that long, then go on
 *	retry TEXT		the destination is not available: TEXT
 *	unsure TEXT		perhaps stored (it was not)
 *	reject-key PK		the event with that primary key can never be stored
 *	reject-every N		nor can events whose sequence is a multiple of N
 *	config TEXT		only the operator can mend it
 *	broken TEXT		this process is of no more use
 *	hang			never return
 *	hang-key PK		... when that event is in the batch
 *	crash			abort()
 *	crash-key PK		... when that event is in the batch
 *	exit N			end with that status
 *	open-retry TEXT		the same as open: retry TEXT
 *	open-config TEXT	... and open: config TEXT
 *
 * Its import behaves as one with tables does: rows go to <store>.import-JOB, of which
 * <store>.import-JOB.safe tells how much is committed, and import_end() puts that in
 * the place of the store, or with `keep` behind what is there.
 *
 * What is accepted goes to the file that `store` names, one line per event as
 * the file driver would write it, in order, on the disk before the answer.
 * Lines are appended, so what is delivered twice stands there twice.  With
 * `idle` in the query it says in the log that nothing comes.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "drivers/fault/fault_private.h"
#include "ipc/base/url.h"

static const char *const call_names[CALLS] = {
	[CALL_DELIVER] = "deliver:", [CALL_OPEN] = "open:", [CALL_TEST] = "test:",
	[CALL_BEGIN] = "import_begin:", [CALL_ROWS] = "import_rows:", [CALL_COMMIT] = "import_commit:", [CALL_END] = "import_end:",
};

/* One call: what it is for and what came of it. */
struct order {
	enum call		 call;
	const struct drv_batch	*batch;		/* NULL where there is none */
	struct drv_outcome	*out;
	enum drv_result		 result;
	bool			 decided;
};

static void
decide(struct order *o, enum drv_result result, enum err_code code, struct slice text)
{
	(void)err_set(&o->out->err, code, SLICE_FMT, SLICE_ARG(text));
	o->result = result;
	o->decided = true;
}

/* Index of the first event with that key; batch->n when there is none. */
static size_t
find_key(const struct drv_batch *batch, struct slice key)
{
	size_t	 i = 0;

	while (i < batch->n && !slice_eq(batch->v[i].ev->primary_key, key))
		i++;
	return i;
}

static bool
holds_key(const struct order *o, struct slice key)
{
	return o->batch != NULL && find_key(o->batch, key) < o->batch->n;
}

static void
hang(void)
{
	for (;;)
		(void)poll(NULL, 0, -1);
}

static void
reject(struct order *o, size_t index)
{
	o->out->index = index;
	decide(o, DRV_REJECT, ERR_INVALID, SLICE("refused on command"));
}

static void
do_slow(struct order *o, struct slice arg)
{
	uint64_t	 ms;

	(void)o;
	if (slice_u64(arg, &ms))
		(void)poll(NULL, 0, (int)ms);
}

static void
do_retry(struct order *o, struct slice arg)
{
	decide(o, DRV_RETRY, ERR_TEMPORARY, arg);
}

static void
do_unsure(struct order *o, struct slice arg)
{
	decide(o, DRV_UNSURE, ERR_TEMPORARY, arg);
}

static void
do_reject_key(struct order *o, struct slice arg)
{
	if (holds_key(o, arg))
		reject(o, find_key(o->batch, arg));
}

static void
do_reject_every(struct order *o, struct slice arg)
{
	uint64_t	 n;

	if (o->batch == NULL || !slice_u64(arg, &n) || n == 0)
		return;
	for (size_t i = 0; i < o->batch->n && !o->decided; i++)
		if (o->batch->v[i].seq % n == 0)
			reject(o, i);
}

static void
do_config(struct order *o, struct slice arg)
{
	decide(o, DRV_CONFIG, ERR_CONFIG, arg);
}

static void
do_broken(struct order *o, struct slice arg)
{
	decide(o, DRV_BROKEN, ERR_IO, arg);
}

static void
do_hang(struct order *o, struct slice arg)
{
	(void)o;
	(void)arg;
	hang();
}

static void
do_hang_key(struct order *o, struct slice arg)
{
	if (holds_key(o, arg))
		hang();
}

static void
do_crash(struct order *o, struct slice arg)
{
	(void)o;
	(void)arg;
	abort();
}

static void
do_crash_key(struct order *o, struct slice arg)
{
	if (holds_key(o, arg))
		abort();
}

static void
do_exit(struct order *o, struct slice arg)
{
	uint64_t	 code;

	(void)o;
	if (slice_u64(arg, &code))
		_exit((int)code);
}

static void
do_nothing(struct order *o, struct slice arg)
{
	(void)o;
	(void)arg;
}

static const struct {
	const char	*word;
	enum call	 call;		/* when none is named */
	void		(*obey)(struct order *, struct slice arg);
} commands[] = {
	{ "ok", CALL_DELIVER, do_nothing },
	{ "slow", CALL_DELIVER, do_slow },
	{ "retry", CALL_DELIVER, do_retry },
	{ "unsure", CALL_DELIVER, do_unsure },
	{ "reject-key", CALL_DELIVER, do_reject_key },
	{ "reject-every", CALL_DELIVER, do_reject_every },
	{ "config", CALL_DELIVER, do_config },
	{ "broken", CALL_DELIVER, do_broken },
	{ "hang", CALL_DELIVER, do_hang },
	{ "hang-key", CALL_DELIVER, do_hang_key },
	{ "crash", CALL_DELIVER, do_crash },
	{ "crash-key", CALL_DELIVER, do_crash_key },
	{ "exit", CALL_DELIVER, do_exit },
	{ "open-retry", CALL_OPEN, do_retry },
	{ "open-config", CALL_OPEN, do_config },
};

/* Takes the name of a call off the front. */
static bool
cut_call(struct slice *line, enum call *call_r)
{
	for (size_t i = 0; i < CALLS; i++) {
		size_t n = strlen(call_names[i]);

		if (line->n <= n || memcmp(line->p, call_names[i], n) != 0)
			continue;
		*line = slice_trim((struct slice){ line->p + n, line->n - n });
		*call_r = (enum call)i;
		return true;
	}
	return false;
}

/* A typing error in a test's commands must not look like a passing test. */
static void
obey(struct order *o, struct slice line)
{
	struct slice	 word, arg = slice_trim(line);
	enum call	 call = CALL_DELIVER;
	bool		 named = cut_call(&arg, &call);

	if (arg.n == 0 || !slice_cut(&arg, ' ', &word))
		return;
	for (size_t i = 0; i < NELEM(commands); i++) {
		if (slice_is(word, commands[i].word)) {
			if (o->call == (named ? call : commands[i].call))
				commands[i].obey(o, slice_trim(arg));
			return;
		}
	}
	decide(o, DRV_CONFIG, ERR_CONFIG, SLICE("the command file holds a command that drivers/fault/fault.c does not list"));
}

static int
read_file(const char *path, struct buf *b, struct err *err)
{
	int	 fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1;
	ssize_t	 n = 0;

	if (fd == -1 && errno == ENOENT)
		return 0;
	if (fd == -1)
		return err_sys(err, "cannot read %s", path);
	while (buf_reserve(b, 4096) && (n = read(fd, b->data + b->len, b->cap - b->len)) > 0)
		b->len += (size_t)n;
	if (n == 0 && !b->oom)
		rc = 0;
	else
		(void)err_sys(err, "cannot read %s", path);
	(void)close(fd);
	return rc;
}

/* DRV_STORED: no command objects. */
static enum drv_result
obey_all(const char *path, struct order *o)
{
	struct buf	 text = { 0 };
	struct slice	 rest, line;

	o->result = DRV_STORED;
	if (read_file(path, &text, &o->out->err) == -1) {
		o->result = DRV_RETRY;
	} else {
		rest = buf_slice(&text);
		while (!o->decided && slice_cut(&rest, '\n', &line))
			obey(o, line);
	}
	buf_free(&text);
	return o->result;
}

static int
fault_validate(const char *url, struct err *err)
{
	struct url	 u = { 0 };
	int		 rc = url_parse(&u, slice_of(url), err);

	if (rc == 0 && u.path[0] != '/')
		rc = err_set(err, ERR_CONFIG, "the URL's path must name the command file: fault:///tmp/commands");
	url_free(&u);
	return rc;
}

static void
fault_close(struct drv **drv)
{
	if (*drv == NULL)
		return;
	if ((*drv)->store != -1)
		(void)close((*drv)->store);
	buf_free(&(*drv)->lines);
	if ((*drv)->staged != -1)
		(void)close((*drv)->staged);
	free((*drv)->job);
	free((*drv)->store_path);
	free((*drv)->commands);
	free(*drv);
	*drv = NULL;
}

/* A worker killed while it was writing leaves half a line, which is nothing stored. */
static int
cut_half_line(struct drv *drv)
{
	off_t	 whole = drv->stored;
	char	 c;

	for (; whole > 0; whole--) {
		if (pread(drv->store, &c, 1, whole - 1) != 1)
			return -1;
		if (c == '\n')
			break;
	}
	if (whole == drv->stored)
		return 0;
	drv->stored = whole;
	return ftruncate(drv->store, whole);
}

static enum drv_result
open_store(struct drv *drv, const char *path, struct err *err)
{
	if ((drv->store = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) == -1 ||
	    (drv->stored = lseek(drv->store, 0, SEEK_END)) == -1 || cut_half_line(drv) == -1) {
		(void)err_sys(err, "cannot open %s", path);
		return DRV_CONFIG;
	}
	return DRV_STORED;
}

static enum drv_result
fault_open(struct drv **drv_r, const struct drv_env *env, struct err *err)
{
	struct drv_outcome out = { 0 };
	struct order	 order = { .call = CALL_OPEN, .out = &out };
	struct drv	*drv = calloc(1, sizeof(*drv));
	struct url	 u = { 0 };
	char		*store = NULL, *idle = NULL;
	enum drv_result	 rc = DRV_CONFIG;

	if (drv == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the driver");
		return DRV_RETRY;
	}
	drv->store = drv->staged = -1;
	if (url_parse(&u, slice_of(env->url), err) == -1)
		goto out;
	if ((drv->commands = slice_dup(slice_of(u.path))) == NULL) {
		(void)err_set(err, ERR_NOMEM, "no memory for the driver");
		rc = DRV_RETRY;
		goto out;
	}
	drv->store_path = store = url_query_get(&u, "store");
	idle = url_query_get(&u, "idle");
	drv->idle_log = idle == NULL ? NULL : env->log;
	if (store != NULL && (rc = open_store(drv, store, err)) != DRV_STORED)
		goto out;
	if ((rc = obey_all(drv->commands, &order)) == DRV_STORED) {
		*drv_r = drv;
		drv = NULL;
	} else
		*err = out.err;
out:
	free(idle);
	url_free(&u);
	fault_close(&drv);
	return rc;
}

static enum drv_result
fault_test(const struct drv_env *env, struct err *err)
{
	struct drv_outcome out = { 0 };
	struct order	 order = { .call = CALL_TEST, .out = &out };
	struct url	 u = { 0 };
	enum drv_result	 rc = DRV_CONFIG;

	if (url_parse(&u, slice_of(env->url), err) == 0 && (rc = obey_all(u.path, &order)) != DRV_STORED)
		*err = out.err;
	url_free(&u);
	return rc;
}

enum drv_result
fault_obey(struct drv *drv, enum call call, const struct drv_batch *batch, struct drv_outcome *out, struct err *err)
{
	struct order	 order = { .call = call, .batch = batch, .out = out };
	enum drv_result	 rc = obey_all(drv->commands, &order);

	if (err != &out->err)
		*err = out->err;
	return rc;
}

bool
fault_write(struct drv *drv, int fd, const struct drv_batch *batch, struct err *err)
{
	size_t	 off = 0;
	ssize_t	 n;

	buf_reset(&drv->lines);
	for (size_t i = 0; i < batch->n; i++) {
		event_store_json(batch->v[i].ev, &drv->lines);
		buf_addc(&drv->lines, '\n');
	}
	if (drv->lines.oom) {
		(void)err_set(err, ERR_NOMEM, "no memory for %zu events", batch->n);
		return false;
	}
	for (; off < drv->lines.len; off += (size_t)n)
		if ((n = write(fd, drv->lines.data + off, drv->lines.len - off)) <= 0) {
			(void)err_sys(err, "cannot write the stored events");
			return false;
		}
	return true;
}

static enum drv_result
fault_deliver(struct drv *drv, const struct drv_batch *batch, struct drv_outcome *out)
{
	enum drv_result	 rc = fault_obey(drv, CALL_DELIVER, batch, out, &out->err);

	if (rc != DRV_STORED || drv->store == -1)
		return rc;
	if (fault_write(drv, drv->store, batch, &out->err) && fdatasync(drv->store) == 0) {
		drv->stored += (off_t)drv->lines.len;
		return DRV_STORED;
	}
	if (out->err.code == ERR_NONE)
		(void)err_sys(&out->err, "cannot write the stored events");
	/* No half batch may stay in front of the next attempt. */
	return ftruncate(drv->store, drv->stored) == -1 ? DRV_BROKEN : DRV_RETRY;
}

static void
fault_idle(struct drv *drv)
{
	if (drv->idle_log != NULL)
		log_info(drv->idle_log, "nothing comes");
}

const struct driver driver_fault = {
	.abi		= DRIVER_ABI,
	.id		= "fault",
	.caps		= 0,		/* appending is not idempotent */
	.batch_events	= 1000,
	.batch_bytes	= 4 << 20,
	.validate	= fault_validate,
	.open		= fault_open,
	.deliver	= fault_deliver,
	.test		= fault_test,
	.import_begin	= fault_import_begin,
	.import_rows	= fault_import_rows,
	.import_commit	= fault_import_commit,
	.import_end	= fault_import_end,
	.import_abort	= fault_import_abort,
	.idle		= fault_idle,
	.idle_ms	= 50,
	.close		= fault_close,
};
