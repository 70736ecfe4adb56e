/* From the bytes of HQ's message to an action with its details. */

#include <msgpack.h>
#include <stdio.h>
#include <time.h>
#include <zlib.h>

#include "ipc/bound.h"
#include "supervisor/hq/notice.h"

static int
unzip(struct buf *out, struct slice in, struct err *err)
{
	union { const char *in; Bytef *out; } next = { .in = in.p };
	z_stream	 z = { .next_in = next.out, .avail_in = (uInt)in.n };
	int		 rc = inflateInit2(&z, 15 + 16);	/* gzip only */

	if (rc != Z_OK)
		return err_set(err, ERR_NOMEM, "no memory to unpack a message of HQ");
	do {
		if (!buf_reserve(out, 16384))
			break;
		z.next_out = out->data + out->len;
		z.avail_out = (uInt)(out->cap - out->len);
		rc = inflate(&z, Z_NO_FLUSH);
		out->len = (size_t)(z.next_out - out->data);
	} while (rc == Z_OK && out->len <= NOTICE_MAX);
	(void)inflateEnd(&z);
	if (out->oom)
		return err_set(err, ERR_NOMEM, "no memory to unpack a message of HQ");
	if (out->len > NOTICE_MAX)
		return err_set(err, ERR_TOOBIG, "it unpacks to more than %u bytes", NOTICE_MAX);
	return rc == Z_STREAM_END ? 0 : err_set(err, ERR_INVALID, "expected gzip data");
}

/* --- msgpack to JSON (contract/encoding.md section 7) --- */

static json_t	*convert(const msgpack_object *);	/* as deep as bound_check() allows */

static json_t *
convert_time(const msgpack_object_ext *e)
{
	uint64_t	 v = 0, ns = 0;
	char		 text[48], fraction[16] = "";
	struct tm	 tm;
	time_t		 s;

	if (e->type != -1 || (e->size != 4 && e->size != 8))
		return NULL;
	for (uint32_t i = 0; i < e->size; i++)
		v = v << 8 | (unsigned char)e->ptr[i];
	if (e->size == 8) {
		ns = v >> 34;
		v &= (UINT64_C(1) << 34) - 1;
	}
	s = (time_t)v;
	if (ns > 999999999 || gmtime_r(&s, &tm) == NULL)
		return NULL;
	if (ns > 0) {
		size_t n = (size_t)snprintf(fraction, sizeof(fraction), ".%09llu", (unsigned long long)ns);

		while (fraction[n - 1] == '0')
			fraction[--n] = '\0';
	}
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	return json_sprintf("%s%sZ", text, fraction);
}

static json_t *
convert_map(const msgpack_object_map *m)
{
	json_t	*o = json_object();

	for (uint32_t i = 0; o != NULL && i < m->size; i++) {
		const msgpack_object	*k = &m->ptr[i].key;
		bool			 text = k->type == MSGPACK_OBJECT_STR || k->type == MSGPACK_OBJECT_BIN;
		json_t			*key = text ? json_stringn(k->via.str.ptr, k->via.str.size) : NULL;
		json_t			*value = key == NULL ? NULL : convert(&m->ptr[i].val);

		if (value == NULL || strlen(json_string_value(key)) != json_string_length(key) ||
		    json_object_set_new(o, json_string_value(key), json_incref(value)) != 0) {
			json_decref(o);
			o = NULL;
		}
		json_decref(value);
		json_decref(key);
	}
	return o;
}

static json_t *
convert_array(const msgpack_object_array *a)
{
	json_t	*list = json_array();

	for (uint32_t i = 0; list != NULL && i < a->size; i++) {
		json_t	*v = convert(&a->ptr[i]);

		if (v == NULL || json_array_append_new(list, v) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *
convert_bin(const msgpack_object_bin *b)
{
	struct buf	 text = { 0 };
	json_t		*v;

	buf_base64(&text, b->ptr, b->size);
	v = text.oom ? NULL : json_string(buf_cstr(&text));
	buf_free(&text);
	return v;
}

static json_t *
convert(const msgpack_object *o)
{
	switch (o->type) {
	case MSGPACK_OBJECT_NIL:
		return json_null();
	case MSGPACK_OBJECT_BOOLEAN:
		return json_boolean(o->via.boolean);
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		return o->via.u64 > INT64_MAX ? json_real((double)o->via.u64) : json_integer((json_int_t)o->via.u64);
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		return json_integer((json_int_t)o->via.i64);
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return json_real(o->via.f64);	/* NULL for what JSON has no number for */
	case MSGPACK_OBJECT_STR:
		return json_stringn(o->via.str.ptr, o->via.str.size);
	case MSGPACK_OBJECT_BIN:
		return convert_bin(&o->via.bin);
	case MSGPACK_OBJECT_ARRAY:
		return convert_array(&o->via.array);
	case MSGPACK_OBJECT_MAP:
		return convert_map(&o->via.map);
	case MSGPACK_OBJECT_EXT:
		return convert_time(&o->via.ext);
	}
	return NULL;
}

static json_t *
from_msgpack(struct slice in, struct err *err)
{
	msgpack_unpacked	 u;
	size_t			 used = 0;
	json_t			*doc = NULL;

	/* First, because the library believes every length it is told. */
	if (bound_check(in, err) == -1) {
		(void)err_prefix(err, "expected msgpack data");
		return NULL;
	}
	msgpack_unpacked_init(&u);
	if (msgpack_unpack_next(&u, in.p, in.n, &used) == MSGPACK_UNPACK_SUCCESS && used == in.n)
		doc = convert(&u.data);
	msgpack_unpacked_destroy(&u);
	if (doc == NULL)
		(void)err_set(err, ERR_INVALID, "expected msgpack data with texts as keys");
	return doc;
}

static json_t *
from_json(struct slice in, struct err *err)
{
	json_error_t	 why;
	json_t		*doc = json_loadb(in.p, in.n, JSON_REJECT_DUPLICATES, &why);

	if (doc == NULL)
		(void)err_set(err, ERR_INVALID, "expected JSON (byte %d)", why.position);
	return doc;
}

int
notice_decode(struct notice *n, struct slice payload, struct slice encoding, struct err *err)
{
	struct buf	 plain = { 0 };

	*n = (struct notice){ 0 };
	if (payload.n > NOTICE_MAX)
		return err_set(err, ERR_TOOBIG, "it has more than %u bytes", NOTICE_MAX);
	if (slice_is(encoding, "msgpack"))
		n->doc = from_msgpack(payload, err);
	else if (!slice_is(encoding, "gzip/json"))
		n->doc = from_json(payload, err);
	else if (unzip(&plain, payload, err) == 0)
		n->doc = from_json(buf_slice(&plain), err);
	buf_free(&plain);
	if (n->doc == NULL)
		return -1;
	n->action = json_string_value(json_object_get(n->doc, "action"));
	n->data = json_object_get(n->doc, "data");
	if (n->action != NULL && (n->data == NULL || json_is_null(n->data) || json_is_object(n->data))) {
		if (json_is_null(n->data))
			n->data = NULL;
		return 0;
	}
	notice_free(n);
	return err_set(err, ERR_INVALID, "expected an object with the text \"action\" and perhaps the object \"data\"");
}

void
notice_free(struct notice *n)
{
	json_decref(n->doc);
	*n = (struct notice){ 0 };
}

const char *
notice_text(const struct notice *n, const char *key)
{
	return json_string_value(json_object_get(n->data, key));
}

bool
notice_bool(const struct notice *n, const char *key)
{
	const json_t	*v = json_object_get(n->data, key);
	const char	*s = json_string_value(v);

	return json_is_true(v) || (s != NULL && strcmp(s, "true") == 0);
}
