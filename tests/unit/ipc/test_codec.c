/* Frames: every message there and back, and every way in which one can be wrong. */

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <msgpack.h>

#include "ipc/bound.h"
#include "ipc/codec_private.h"
#include "tests/support/body_eq.h"

#define EACH_MESSAGE(d)	(const struct ipc_desc *d = ipc_descs; d->name != NULL; d++)
#define EACH_FIELD(f, d) (const struct ipc_field *f = (d)->fields(); f->name != NULL; f++)

static const struct slice some_texts[] = {
	{ "customer", 8 }, { "", 0 }, { "h\xc3\xa4ndler", 8 }, { "\xf0\x9f\x91\x8b", 4 },
};
static const struct ipc_event some_events[] = {
	{ 1, { "dbchange.order.INSERT.c.l.PUBLIC.1", 34 }, { "{\"a\":1}", 7 } },
	{ UINT64_MAX, { "", 0 }, { "", 0 } },
	{ 128, { "s", 1 }, { "\x00\xff\x80", 3 } },
};

/* A value for each field, no two alike. */
static void
fill(const struct ipc_desc *d, union ipc_body *body)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
	uint64_t n = 0;

	(void)memset(body, 0, sizeof(*body));
	for EACH_FIELD(f, d) {
		void *v = (char *)body + f->offset;

		n++;
		switch (f->type) {
		case IPC_T_U64:
			*(uint64_t *)v = n == 1 ? UINT64_MAX : n * 1000003;
			break;
		case IPC_T_I64:
			*(int64_t *)v = n % 2 == 0 ? INT64_MIN : -(int64_t)n;
			break;
		case IPC_T_BOOL:
			*(bool *)v = true;
			break;
		case IPC_T_STR:
			*(struct slice *)v = (struct slice){ letters + n % 20, n % 6 };
			break;
		case IPC_T_BIN:
			*(struct slice *)v = (struct slice){ "\x00\xff{}", 4 };
			break;
		case IPC_T_STRS:
			*(struct ipc_strs *)v = (struct ipc_strs){ some_texts, NELEM(some_texts) };
			break;
		case IPC_T_EVENTS:
			*(struct ipc_events *)v = (struct ipc_events){ some_events, NELEM(some_events) };
			break;
		}
	}
}

/* Writes frames that the encoder would not write: field by field, without its tables' order or checks. */
struct wrong {
	const struct ipc_field	*omit;
	const struct ipc_field	*twice;
	const struct ipc_field	*as_nil;
	bool			 unknown;
};

static int
to_buf(void *arg, const char *p, size_t n)
{
	buf_add(arg, p, n);
	return 0;
}

static void
pack_text(msgpack_packer *pk, struct slice s)
{
	msgpack_pack_str_with_body(pk, s.p, s.n);
}

static void
pack_one(msgpack_packer *pk, const struct ipc_field *f, const void *v, bool as_nil)
{
	const struct ipc_strs	*strs = v;
	const struct ipc_events	*events = v;
	const struct slice	*s = v;

	pack_text(pk, slice_of(f->name));
	if (as_nil) {
		msgpack_pack_nil(pk);
		return;
	}
	switch (f->type) {
	case IPC_T_U64:
		msgpack_pack_uint64(pk, *(const uint64_t *)v);
		break;
	case IPC_T_I64:
		msgpack_pack_int64(pk, *(const int64_t *)v);
		break;
	case IPC_T_BOOL:
		*(const bool *)v ? msgpack_pack_true(pk) : msgpack_pack_false(pk);
		break;
	case IPC_T_STR:
		pack_text(pk, *s);
		break;
	case IPC_T_BIN:
		msgpack_pack_bin_with_body(pk, s->p, s->n);
		break;
	case IPC_T_STRS:
		msgpack_pack_array(pk, strs->n);
		for (size_t i = 0; i < strs->n; i++)
			pack_text(pk, strs->v[i]);
		break;
	case IPC_T_EVENTS:
		msgpack_pack_array(pk, events->n);
		for (size_t i = 0; i < events->n; i++) {
			msgpack_pack_array(pk, 3);
			msgpack_pack_uint64(pk, events->v[i].seq);
			pack_text(pk, events->v[i].subject);
			msgpack_pack_bin_with_body(pk, events->v[i].payload.p, events->v[i].payload.n);
		}
		break;
	}
}

static void
pack_frame(struct buf *out, const struct ipc_desc *d, const union ipc_body *body, struct wrong w)
{
	msgpack_packer	 pk;
	size_t		 n = 0;

	for EACH_FIELD(f, d)
		n += f == w.omit ? 0 : f == w.twice ? 2 : 1;
	buf_reset(out);
	msgpack_packer_init(&pk, out, to_buf);
	msgpack_pack_array(&pk, 2);
	msgpack_pack_uint64(&pk, (uint64_t)d->type);
	msgpack_pack_map(&pk, n + (w.unknown ? 2 : 0));
	if (w.unknown) {
		pack_text(&pk, SLICE("of_a_later_version"));
		msgpack_pack_array(&pk, 2);
		msgpack_pack_double(&pk, 1.5);
		msgpack_pack_ext_with_body(&pk, "xyz", 3, 7);
	}
	for EACH_FIELD(f, d)
		for (int i = 0; i < (f == w.omit ? 0 : f == w.twice ? 2 : 1); i++)
			pack_one(&pk, f, (const char *)body + f->offset, f == w.as_nil);
	if (w.unknown) {
		pack_text(&pk, SLICE("another"));
		msgpack_pack_nil(&pk);
	}
}

static enum ipc_side
side_of(const struct ipc_desc *d)
{
	return d->from == IPC_ANY ? IPC_CONTROL : d->from;
}

struct fixture {
	struct ipc_msg		 msg;
	struct ipc_arena	 arena;
	struct buf		 buf;
	struct err		 err;
};

static int
setup(void **state)
{
	return (*state = calloc(1, sizeof(struct fixture))) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	struct fixture *fx = *state;

	buf_free(&fx->buf);
	ipc_arena_free(&fx->arena);
	free(fx);
	return 0;
}

/* Decodes from memory of exactly the frame's size, so that a sanitizer sees a byte too far. */
static int
decode(struct fixture *fx, struct slice frame, enum ipc_side from)
{
	char	*copy = malloc(frame.n + (frame.n == 0));
	int	 rc;

	assert_non_null(copy);
	if (frame.n > 0)
		(void)memcpy(copy, frame.p, frame.n);
	fx->err = (struct err){ 0 };
	rc = ipc_decode(&fx->msg, (struct slice){ copy, frame.n }, from, &fx->arena, &fx->err);
	free(copy);
	return rc;
}

static void
assert_refused(struct fixture *fx, struct slice frame, enum ipc_side from, const char *saying)
{
	assert_int_equal(decode(fx, frame, from), -1);
	assert_int_equal(fx->err.code, ERR_INVALID);
	if (strstr(fx->err.text, saying) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", fx->err.text, saying);
}

static struct slice
frame_of(const struct buf *b)
{
	assert_true(b->len > IPC_LENGTH_BYTES);
	assert_int_equal(ipc_get_u32(b->data), b->len - IPC_LENGTH_BYTES);
	return (struct slice){ (const char *)b->data + IPC_LENGTH_BYTES, b->len - IPC_LENGTH_BYTES };
}

static void
every_message_comes_back_as_it_went(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body;
	const char *field;

	for EACH_MESSAGE(d) {
		fill(d, &body);
		buf_reset(&fx->buf);
		ipc_encode(&fx->buf, d->type, &body);
		assert_false(fx->buf.oom);
		if (ipc_decode(&fx->msg, frame_of(&fx->buf), side_of(d), &fx->arena, &fx->err) < 0)
			fail_msg("%s: %s", d->name, fx->err.text);
		assert_int_equal(fx->msg.type, d->type);
		if ((field = body_differs(d, &body, &fx->msg.body)) != NULL)
			fail_msg("%s: %s changed", d->name, field);
	}
}

static void
empty_bodies_come_back_without_optional_fields(void **state)
{
	struct fixture *fx = *state;

	for EACH_MESSAGE(d) {
		union ipc_body body = { 0 };

		buf_reset(&fx->buf);
		ipc_encode(&fx->buf, d->type, &body);
		assert_int_equal(ipc_decode(&fx->msg, frame_of(&fx->buf), side_of(d), &fx->arena, &fx->err), 0);
		for EACH_FIELD(f, d) {
			const struct slice *s = (const void *)((const char *)&fx->msg.body + f->offset);

			if (f->type == IPC_T_STR || f->type == IPC_T_BIN)
				assert_int_equal(s->p != NULL, f->required);
		}
	}
}

static void
ping_has_the_bytes_that_the_protocol_says(void **state)
{
	static const uint8_t want[] = { 0, 0, 0, 10, 0x92, 13, 0x81, 0xa5, 'n', 'o', 'n', 'c', 'e', 7 };
	struct fixture *fx = *state;
	union ipc_body body = { .ping = { .nonce = 7 } };

	ipc_encode(&fx->buf, IPC_PING, &body);
	assert_int_equal(fx->buf.len, sizeof(want));
	assert_memory_equal(fx->buf.data, want, sizeof(want));
}

static void
a_missing_field_is_refused_by_name(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body;
	char text[100];

	for EACH_MESSAGE(d) {
		fill(d, &body);
		for EACH_FIELD(f, d) {
			pack_frame(&fx->buf, d, &body, (struct wrong){ .omit = f });
			(void)snprintf(text, sizeof(text), "%s: field %s is missing", d->name, f->name);
			if (f->required)
				assert_refused(fx, buf_slice(&fx->buf), side_of(d), text);
			else
				assert_int_equal(decode(fx, buf_slice(&fx->buf), side_of(d)), 0);
		}
	}
}

static void
a_doubled_field_is_refused_by_name(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body;
	char text[100];

	for EACH_MESSAGE(d) {
		fill(d, &body);
		for EACH_FIELD(f, d) {
			pack_frame(&fx->buf, d, &body, (struct wrong){ .twice = f });
			(void)snprintf(text, sizeof(text), "%s: field %s is there twice", d->name, f->name);
			assert_refused(fx, buf_slice(&fx->buf), side_of(d), text);
		}
	}
}

static void
a_field_of_another_type_is_refused_by_name(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body;
	char text[100];

	for EACH_MESSAGE(d) {
		fill(d, &body);
		for EACH_FIELD(f, d) {
			pack_frame(&fx->buf, d, &body, (struct wrong){ .as_nil = f });
			(void)snprintf(text, sizeof(text), "%s: field %s is ", d->name, f->name);
			assert_refused(fx, buf_slice(&fx->buf), side_of(d), text);
		}
	}
}

static void
unknown_fields_are_skipped(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body;

	for EACH_MESSAGE(d) {
		fill(d, &body);
		pack_frame(&fx->buf, d, &body, (struct wrong){ .unknown = true });
		assert_int_equal(ipc_decode(&fx->msg, buf_slice(&fx->buf), side_of(d), &fx->arena, &fx->err), 0);
		assert_null(body_differs(d, &body, &fx->msg.body));
	}
}

static void
every_frame_cut_short_anywhere_is_refused(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body;

	for EACH_MESSAGE(d) {
		fill(d, &body);
		pack_frame(&fx->buf, d, &body, (struct wrong){ 0 });
		for (size_t n = 0; n < fx->buf.len; n++)
			assert_refused(fx, (struct slice){ (const char *)fx->buf.data, n }, side_of(d), "");
	}
}

static void
bytes_behind_the_end_are_refused(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body;

	for EACH_MESSAGE(d) {
		fill(d, &body);
		pack_frame(&fx->buf, d, &body, (struct wrong){ 0 });
		buf_addc(&fx->buf, '\0');
		assert_refused(fx, buf_slice(&fx->buf), side_of(d), "1 bytes behind the end");
	}
}

static void
a_message_from_the_wrong_side_is_refused(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body;

	for EACH_MESSAGE(d) {
		fill(d, &body);
		pack_frame(&fx->buf, d, &body, (struct wrong){ 0 });
		for (enum ipc_side side = IPC_SUPERVISOR; side <= IPC_CONTROL; side++) {
			if (d->from == IPC_ANY || d->from == side)
				assert_int_equal(decode(fx, buf_slice(&fx->buf), side), 0);
			else
				assert_refused(fx, buf_slice(&fx->buf), side, d->name);
		}
	}
}

static void
a_number_that_no_message_has_is_refused(void **state)
{
	struct fixture *fx = *state;
	const char frame[] = { '\x92', 0, '\x80' };

	for (int n = 0; n < 128; n++) {
		char copy[3] = { frame[0], (char)n, frame[2] };

		if (ipc_find((uint64_t)n) == NULL)
			assert_refused(fx, (struct slice){ copy, 3 }, IPC_WORKER, "not known here");
	}
	assert_refused(fx, SLICE("\x92\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x80"), IPC_WORKER, "18446744073709551615");
	assert_refused(fx, SLICE("\x92\xce\x00\x01\x00\x01\x80"), IPC_WORKER, "65537");
}

static void
a_frame_of_another_shape_is_refused(void **state)
{
	struct fixture *fx = *state;

	assert_refused(fx, SLICE(""), IPC_SUPERVISOR, "empty");
	assert_refused(fx, SLICE("\x0e"), IPC_SUPERVISOR, "pair");
	assert_refused(fx, SLICE("\x90"), IPC_SUPERVISOR, "pair");
	assert_refused(fx, SLICE("\x91\x0e"), IPC_SUPERVISOR, "pair");
	assert_refused(fx, SLICE("\x93\x0e\x80\x80"), IPC_SUPERVISOR, "pair");
	assert_refused(fx, SLICE("\x92\x80\x0e"), IPC_SUPERVISOR, "pair");
	assert_refused(fx, SLICE("\x92\x0e\x90"), IPC_SUPERVISOR, "pair");
	assert_refused(fx, SLICE("\x92\xff\x80"), IPC_SUPERVISOR, "pair");
	assert_refused(fx, SLICE("\x81\x0e\x80"), IPC_SUPERVISOR, "pair");
	assert_refused(fx, SLICE("\x92\x0e\x81\x01\x01"), IPC_SUPERVISOR, "name is not text");
	assert_refused(fx, SLICE("\xc1"), IPC_SUPERVISOR, "byte 0");
	assert_int_equal(decode(fx, SLICE("\x92\x0e\x80"), IPC_SUPERVISOR), 0);
}

static void
text_that_is_not_utf8_is_refused(void **state)
{
	static const struct slice wrong[] = {
		{ "\xff", 1 }, { "a\x80", 2 }, { "\xc3", 1 }, { "\xc0\xaf", 2 }, { "\xed\xa0\x80", 3 },
		{ "\xf4\x90\x80\x80", 4 }, { "a\0b", 3 }, { "\0", 1 },
	};
	struct fixture *fx = *state;
	union ipc_body body;

	for (size_t i = 0; i < NELEM(wrong); i++) {
		struct slice list[] = { SLICE("fine"), wrong[i] };
		struct ipc_event ev = { 1, wrong[i], SLICE("{}") };

		body = (union ipc_body){ .goodbye = { .reason = wrong[i] } };
		pack_frame(&fx->buf, ipc_find(IPC_GOODBYE), &body, (struct wrong){ 0 });
		assert_refused(fx, buf_slice(&fx->buf), IPC_WORKER, "field reason is not UTF-8");
		body = (union ipc_body){ .command = { .verb = SLICE("v"), .args = { list, 2 } } };
		pack_frame(&fx->buf, ipc_find(IPC_COMMAND), &body, (struct wrong){ 0 });
		assert_refused(fx, buf_slice(&fx->buf), IPC_CONTROL, "field args holds");
		body = (union ipc_body){ .events = { .list = { &ev, 1 } } };
		pack_frame(&fx->buf, ipc_find(IPC_EVENTS), &body, (struct wrong){ 0 });
		assert_refused(fx, buf_slice(&fx->buf), IPC_SUPERVISOR, "field list holds");
	}
}

static void
text_that_is_not_utf8_is_mended_before_it_is_sent(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body = { .goodbye = { .reason = { "a\xe2\x82\0b\xc3\xa4\xff", 8 } } };
	struct ipc_events_writer w;

	ipc_encode(&fx->buf, IPC_GOODBYE, &body);
	assert_int_equal(ipc_decode(&fx->msg, frame_of(&fx->buf), IPC_WORKER, &fx->arena, &fx->err), 0);
	assert_true(slice_is(fx->msg.body.goodbye.reason,
	    "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd" "b\xc3\xa4\xef\xbf\xbd"));
	buf_reset(&fx->buf);
	ipc_events_begin(&w, &fx->buf);
	ipc_events_add(&w, 1, SLICE("x\xff"), SLICE("\xff"));
	ipc_events_end(&w);
	assert_int_equal(ipc_decode(&fx->msg, frame_of(&fx->buf), IPC_SUPERVISOR, &fx->arena, &fx->err), 0);
	assert_true(slice_is(fx->msg.body.events.list.v[0].subject, "x\xef\xbf\xbd"));
	assert_true(slice_is(fx->msg.body.events.list.v[0].payload, "\xff"));
}

static void
numbers_out_of_their_range_are_refused(void **state)
{
	struct fixture *fx = *state;

	assert_refused(fx, SLICE("\x92\x0d\x81\xa5nonce\xff"), IPC_SUPERVISOR, "nonce is not an unsigned");
	assert_refused(fx, SLICE("\x92\x0d\x81\xa5nonce\xcb\x40\x00\0\0\0\0\0\0"), IPC_SUPERVISOR, "nonce is not");
	assert_int_equal(decode(fx, SLICE("\x92\x0d\x81\xa5nonce\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), IPC_SUPERVISOR), 0);
	assert_true(fx->msg.body.ping.nonce == UINT64_MAX);
	assert_int_equal(decode(fx, SLICE("\x92\x0d\x81\xa5nonce\xd3\0\0\0\0\0\0\0\5"), IPC_SUPERVISOR), 0);
	assert_int_equal(fx->msg.body.ping.nonce, 5);
}

static void
events_of_another_shape_are_refused(void **state)
{
	struct fixture *fx = *state;

	assert_refused(fx, SLICE("\x92\x0b\x81\xa4list\x80"), IPC_SUPERVISOR, "list is not a list");
	assert_refused(fx, SLICE("\x92\x0b\x81\xa4list\x91\x80"), IPC_SUPERVISOR, "list holds");
	assert_refused(fx, SLICE("\x92\x0b\x81\xa4list\x91\x92\x01\xa1s"), IPC_SUPERVISOR, "list holds");
	assert_refused(fx, SLICE("\x92\x0b\x81\xa4list\x91\x93\x01\xa1s\xa1p"), IPC_SUPERVISOR, "list holds");
	assert_refused(fx, SLICE("\x92\x0b\x81\xa4list\x91\x93\xff\xa1s\xc4\1p"), IPC_SUPERVISOR, "list holds");
	assert_refused(fx, SLICE("\x92\x0b\x81\xa4list\x91\x94\x01\xa1s\xc4\1p\xc0"), IPC_SUPERVISOR, "list holds");
	assert_int_equal(decode(fx, SLICE("\x92\x0b\x81\xa4list\x91\x93\x01\xa1s\xc4\1p"), IPC_SUPERVISOR), 0);
	assert_int_equal(decode(fx, SLICE("\x92\x0b\x81\xa4list\x90"), IPC_SUPERVISOR), 0);
	assert_int_equal(fx->msg.body.events.list.n, 0);
}

static void
a_list_of_texts_ends_at_its_limit(void **state)
{
	struct fixture *fx = *state;
	struct slice *v = calloc(IPC_STRS_MAX + 1, sizeof(*v));
	union ipc_body body = { .command = { .verb = SLICE("v"), .args = { v, IPC_STRS_MAX } } };

	assert_non_null(v);
	for (size_t i = 0; i <= IPC_STRS_MAX; i++)
		v[i] = SLICE("t");
	pack_frame(&fx->buf, ipc_find(IPC_COMMAND), &body, (struct wrong){ 0 });
	assert_int_equal(decode(fx, buf_slice(&fx->buf), IPC_CONTROL), 0);
	assert_int_equal(fx->msg.body.command.args.n, IPC_STRS_MAX);
	body.command.args.n++;
	pack_frame(&fx->buf, ipc_find(IPC_COMMAND), &body, (struct wrong){ 0 });
	assert_refused(fx, buf_slice(&fx->buf), IPC_CONTROL, "args is a list that is too long");
	buf_reset(&fx->buf);
	ipc_encode(&fx->buf, IPC_COMMAND, &body);	/* what the peer would refuse is not sent */
	assert_true(fx->buf.oom);
	assert_int_equal(fx->buf.len, 0);
	free(v);
}

static void
a_list_of_events_ends_at_its_limit(void **state)
{
	struct fixture *fx = *state;
	struct ipc_events_writer w;

	for (size_t n = IPC_EVENTS_MAX; n <= IPC_EVENTS_MAX + 1; n++) {
		buf_reset(&fx->buf);
		ipc_events_begin(&w, &fx->buf);
		for (size_t i = 0; i < n; i++)
			ipc_events_add(&w, i, SLICE(""), SLICE(""));
		ipc_events_end(&w);
		assert_int_equal(fx->buf.oom, n > IPC_EVENTS_MAX);
		if (n > IPC_EVENTS_MAX)
			assert_int_equal(fx->buf.len, 0);
		else {
			assert_int_equal(decode(fx, frame_of(&fx->buf), IPC_SUPERVISOR), 0);
			assert_int_equal(fx->msg.body.events.list.n, n);
		}
	}
}

static void
lengths_that_lie_are_refused_before_memory_is_asked_for(void **state)
{
	static const struct slice lies[] = {
		{ "\xdd\xff\xff\xff\xff", 5 }, { "\xdf\xff\xff\xff\xff", 5 }, { "\xdc\xff\xff", 3 }, { "\xde\xff\xff", 3 },
		{ "\xdb\xff\xff\xff\xff", 5 }, { "\xc6\xff\xff\xff\xff", 5 }, { "\xc9\xff\xff\xff\xff\x01", 6 },
		{ "\xda\x00\x01", 3 }, { "\xd9\x01", 2 }, { "\xc4\x01", 2 }, { "\xc7\x00", 2 }, { "\xd8\x01", 2 },
		{ "\x9f", 1 }, { "\x8f", 1 }, { "\xbf", 1 }, { "\xcf", 1 }, { "\xdd\x00\x00", 3 }, { "\xda\x00", 2 },
		{ "\x92\x0d\x81\xa5nonce\xdd\x10\x00\x00\x00", 14 },
	};
	struct fixture *fx = *state;

	for (size_t i = 0; i < NELEM(lies); i++) {
		assert_int_equal(bound_check(lies[i], &fx->err), -1);
		assert_refused(fx, lies[i], IPC_SUPERVISOR, "byte");	/* bound_check()'s words, so it came first */
	}
}

static void
nesting_ends_at_its_limit(void **state)
{
	struct fixture *fx = *state;

	for (size_t depth = 1; depth < 100000; depth = depth < 20 ? depth + 1 : depth * 3) {
		buf_reset(&fx->buf);
		for (size_t i = 0; i < depth; i++)
			buf_addc(&fx->buf, '\x91');
		buf_addc(&fx->buf, '\xc0');
		fx->err = (struct err){ 0 };
		assert_int_equal(bound_check(buf_slice(&fx->buf), &fx->err), depth <= BOUND_DEPTH ? 0 : -1);
		if (depth > BOUND_DEPTH)
			assert_non_null(strstr(fx->err.text, "nested deeper"));
	}
}

static void
the_number_of_values_in_a_frame_ends_at_its_limit(void **state)
{
	struct fixture *fx = *state;

	for (uint32_t n = BOUND_ITEMS; n <= BOUND_ITEMS + 1; n++) {
		uint8_t head[5] = { 0xdd };

		ipc_put_u32(head + 1, n);
		buf_reset(&fx->buf);
		buf_add(&fx->buf, head, sizeof(head));
		assert_true(buf_reserve(&fx->buf, n));
		(void)memset(fx->buf.data + fx->buf.len, 0xc0, n);
		fx->buf.len += n;
		assert_int_equal(bound_check(buf_slice(&fx->buf), &fx->err), n <= BOUND_ITEMS ? 0 : -1);
	}
	assert_non_null(strstr(fx->err.text, "more than 524288 values"));
}

static void
the_bound_agrees_with_msgpack_on_every_first_byte(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char bytes[64] = { (char)c };	/* zeros follow: enough for every head, small numbers as members */
		size_t off = 0;
		msgpack_unpacked un;
		bool unpacked;

		msgpack_unpacked_init(&un);
		unpacked = msgpack_unpack_next(&un, bytes, sizeof(bytes), &off) == MSGPACK_UNPACK_SUCCESS;
		msgpack_unpacked_destroy(&un);
		assert_int_equal(unpacked, c != 0xc1);
		if (unpacked)
			assert_int_equal(bound_check((struct slice){ bytes, off }, NULL), 0);
		else
			assert_int_equal(bound_check((struct slice){ bytes, 1 }, NULL), -1);
		if (off > 1)
			assert_int_equal(bound_check((struct slice){ bytes, off - 1 }, NULL), -1);
	}
}

static void
events_written_piece_by_piece_are_those_encoded_at_once(void **state)
{
	struct fixture *fx = *state;
	struct ipc_events_writer w;
	size_t before;

	buf_adds(&fx->buf, "earlier");
	ipc_events_begin(&w, &fx->buf);
	before = ipc_events_size(&w);
	for (size_t i = 0; i < NELEM(some_events); i++)
		ipc_events_add(&w, some_events[i].seq, some_events[i].subject, some_events[i].payload);
	assert_true(ipc_events_size(&w) > before + 34 + 7);
	ipc_events_end(&w);
	assert_memory_equal(fx->buf.data, "earlier", 7);
	buf_consume(&fx->buf, 7);
	assert_int_equal(ipc_decode(&fx->msg, frame_of(&fx->buf), IPC_SUPERVISOR, &fx->arena, &fx->err), 0);
	assert_null(body_differs(ipc_find(IPC_EVENTS),
	    &(union ipc_body){ .events = { .list = { some_events, NELEM(some_events) } } }, &fx->msg.body));
	for (size_t i = 0; i < fx->msg.body.events.list.n; i++) {	/* zero copy */
		const uint8_t *p = (const uint8_t *)fx->msg.body.events.list.v[i].payload.p;

		if (fx->msg.body.events.list.v[i].payload.n > 0)
			assert_true(p > fx->buf.data && p < fx->buf.data + fx->buf.len);
	}
}

static void
an_events_frame_without_events_is_taken_back(void **state)
{
	struct fixture *fx = *state;
	struct ipc_events_writer w;

	buf_adds(&fx->buf, "earlier");
	ipc_events_begin(&w, &fx->buf);
	ipc_events_end(&w);
	assert_true(slice_is(buf_slice(&fx->buf), "earlier"));
}

static void
a_frame_that_is_too_long_is_not_begun(void **state)
{
	struct fixture *fx = *state;
	char *big = calloc(1, IPC_FRAME_MAX);
	union ipc_body body = { .rejected = { .payload = { big, IPC_FRAME_MAX }, .reason = SLICE("r"), .subject = SLICE("s") } };
	struct ipc_events_writer w;

	assert_non_null(big);
	buf_adds(&fx->buf, "earlier");
	assert_int_equal(ipc_encode_frame(&fx->buf, IPC_REJECTED, &body), ERR_TOOBIG);
	assert_true(slice_is(buf_slice(&fx->buf), "earlier"));
	assert_false(fx->buf.oom);
	ipc_events_begin(&w, &fx->buf);
	ipc_events_add(&w, 1, SLICE("s"), body.rejected.payload);
	ipc_events_end(&w);
	assert_true(slice_is(buf_slice(&fx->buf), "earlier"));
	assert_true(fx->buf.oom);
	assert_int_equal(decode(fx, body.rejected.payload, IPC_WORKER), -1);
	free(big);
}

static void
shortage_of_memory_leaves_whole_frames_only(void **state)
{
	struct fixture *fx = *state;
	union ipc_body body = { .ping = { .nonce = 1 } };
	struct ipc_events_writer w;
	size_t whole;

	ipc_encode(&fx->buf, IPC_PING, &body);
	whole = fx->buf.len;
	ipc_events_begin(&w, &fx->buf);
	ipc_events_add(&w, 1, SLICE("s"), SLICE("p"));
	assert_false(buf_reserve(&fx->buf, SIZE_MAX / 2));	/* as if memory had run out here */
	ipc_events_add(&w, 2, SLICE("s"), SLICE("p"));
	ipc_events_end(&w);
	assert_true(fx->buf.oom);
	assert_int_equal(fx->buf.len, whole);
	ipc_encode(&fx->buf, IPC_PING, &body);
	assert_int_equal(fx->buf.len, whole);
}

static void
each_name_and_number_is_there_once(void **state)
{
	(void)state;
	for EACH_MESSAGE(a) {
		assert_string_equal(ipc_type_name(a->type), a->name);
		assert_ptr_equal(ipc_find((uint64_t)a->type), a);
		for (const struct ipc_desc *b = a + 1; b->name != NULL; b++) {
			assert_string_not_equal(a->name, b->name);
			assert_int_not_equal(a->type, b->type);
		}
		for EACH_FIELD(f, a)
			for (const struct ipc_field *g = f + 1; g->name != NULL; g++)
				assert_string_not_equal(f->name, g->name);
	}
	assert_string_equal(ipc_type_name((enum ipc_type)99), "?");
}

static char *
read_page(void)
{
	FILE *f = fopen("ipc/PROTOCOL.md", "r");
	struct buf b = { 0 };
	char chunk[4096];
	size_t n;

	assert_non_null(f);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(&b, chunk, n);
	(void)fclose(f);
	return buf_steal(&b);
}

static void
the_page_lists_every_message_and_every_field(void **state)
{
	char *page = read_page(), row[200], *section, *next;

	(void)state;
	assert_non_null(page);
	for EACH_MESSAGE(d) {
		(void)snprintf(row, sizeof(row), "\n| %d | %s | %s | %u | %s | ", (int)d->type, d->name,
		    ipc_side_name(d->from), d->since, d->body);
		if (strstr(page, row) == NULL)
			fail_msg("PROTOCOL.md lacks %s", row);
		(void)snprintf(row, sizeof(row), "\n### %s\n", d->body);
		if ((section = strstr(page, row)) == NULL)
			fail_msg("PROTOCOL.md lacks %s", row);
		next = strstr(section + 1, "\n### ");
		for EACH_FIELD(f, d) {
			const char *at;

			(void)snprintf(row, sizeof(row), "\n| %s | %s | %s | ", f->name, ipc_field_type_name(f->type),
			    f->required ? "must" : "may");
			at = strstr(section, row);
			if (at == NULL || (next != NULL && at > next))
				fail_msg("PROTOCOL.md, %s lacks %s", d->body, row);
		}
	}
	free(page);
}

int
main(void)
{
#define T(name)	cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(every_message_comes_back_as_it_went),
		T(empty_bodies_come_back_without_optional_fields),
		T(ping_has_the_bytes_that_the_protocol_says),
		T(a_missing_field_is_refused_by_name),
		T(a_doubled_field_is_refused_by_name),
		T(a_field_of_another_type_is_refused_by_name),
		T(unknown_fields_are_skipped),
		T(every_frame_cut_short_anywhere_is_refused),
		T(bytes_behind_the_end_are_refused),
		T(a_message_from_the_wrong_side_is_refused),
		T(a_number_that_no_message_has_is_refused),
		T(a_frame_of_another_shape_is_refused),
		T(text_that_is_not_utf8_is_refused),
		T(text_that_is_not_utf8_is_mended_before_it_is_sent),
		T(numbers_out_of_their_range_are_refused),
		T(events_of_another_shape_are_refused),
		T(a_list_of_texts_ends_at_its_limit),
		T(a_list_of_events_ends_at_its_limit),
		T(lengths_that_lie_are_refused_before_memory_is_asked_for),
		T(nesting_ends_at_its_limit),
		T(the_number_of_values_in_a_frame_ends_at_its_limit),
		T(the_bound_agrees_with_msgpack_on_every_first_byte),
		T(events_written_piece_by_piece_are_those_encoded_at_once),
		T(an_events_frame_without_events_is_taken_back),
		T(a_frame_that_is_too_long_is_not_begun),
		T(shortage_of_memory_leaves_whole_frames_only),
		T(each_name_and_number_is_there_once),
		T(the_page_lists_every_message_and_every_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
