/* One request after the other, with patience. */

#include "drivers/http/https_private.h"

#define FIRST_MS	100
#define MOST_MS		20000
#define TOTAL_MS	60000
#define SLICE_MS	100		/* how often a wait looks whether the worker is to end */

struct fetch {
	struct https_answer	*answer;
	struct buf		*kept;
	bool			 done;
};

static void
keep_answer(void *arg, const struct https_answer *answer)
{
	struct fetch	*f = arg;

	*f->answer = *answer;
	f->done = true;
	buf_reset(f->kept);
	buf_adds_slice(f->kept, answer->headers);
	buf_adds_slice(f->kept, answer->body);
	if (f->kept->oom) {
		f->answer->outcome = HTTPS_REFUSED;
		(void)err_set(&f->answer->err, ERR_NOMEM, "no memory for an answer");
		return;
	}
	f->answer->headers = (struct slice){ (const char *)f->kept->data, answer->headers.n };
	f->answer->body = (struct slice){ (const char *)f->kept->data + answer->headers.n, answer->body.n };
}

static int
given_up(struct err *err)
{
	return err_set(err, ERR_TEMPORARY, "given up, because the worker is to end");
}

static int
attempt(struct https *h, const struct https_request *r, struct https_answer *answer, struct err *err)
{
	struct fetch	 f = { .answer = answer, .kept = https_kept(h) };

	if (https_start(h, r, keep_answer, &f, err) != 0)
		return -1;
	while (!f.done) {
		https_run(h, SLICE_MS);
		if (!f.done && https_stopping(h)) {
			https_drop_all(h);
			return given_up(err);
		}
	}
	return 0;
}

static int
pause_for(struct https *h, int64_t ms, struct err *err)
{
	for (mono_t end = mono_now() + ms; mono_now() < end; ) {
		int64_t left = end - mono_now();

		if (https_stopping(h))
			return given_up(err);
		https_run(h, left < SLICE_MS ? left : SLICE_MS);
	}
	return 0;
}

bool
https_busy(const struct https_answer *a)
{
	return a->status == 408 || a->status == 429 || a->status == 500 || a->status == 502 || a->status == 503 ||
	    a->status == 504;
}

int64_t
https_pause_ms(unsigned done, int64_t retry_after_ms)
{
	int64_t	 most = done > 8 ? MOST_MS : (int64_t)FIRST_MS << done, ms;

	ms = 1 + (int64_t)random_below((uint64_t)(most < MOST_MS ? most : MOST_MS));
	return ms > retry_after_ms ? ms : retry_after_ms;
}

static bool
worth_another(const struct https_answer *a, const struct https_again *again)
{
	switch (a->outcome) {
	case HTTPS_ANSWERED:
		return https_busy(a);
	case HTTPS_UNREACHED:
		return true;
	case HTTPS_BROKEN:
		return again->repeatable;
	default:
		return false;
	}
}

int
https_fetch(struct https *h, const struct https_request *r, const struct https_again *again,
    struct https_answer *answer_r, struct err *err)
{
	mono_t	 end = mono_now() + (again->total_ms > 0 ? again->total_ms : TOTAL_MS);

	for (unsigned done = 1; ; done++) {
		int64_t	 ms;

		if (attempt(h, r, answer_r, err) != 0)
			return -1;
		ms = https_pause_ms(done, answer_r->retry_after_ms);
		if (done >= again->attempts || !worth_another(answer_r, again) || mono_now() + ms >= end)
			break;
		if (pause_for(h, ms, err) != 0)
			return -1;
	}
	if (answer_r->outcome == HTTPS_ANSWERED)
		return 0;
	*err = answer_r->err;
	return -1;
}
