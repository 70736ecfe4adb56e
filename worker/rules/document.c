/* From an event to the document that a schema describes. */

#include <inttypes.h>
#include <stdio.h>

#include "worker/rules/document.h"

#define MEMBERS_MOST	13

struct making {
	struct dom_maker	*maker;
	struct dom_member	 v[MEMBERS_MOST];
	size_t			 n;
	bool			 failed;
};

static void
add_text(struct making *m, struct slice key, struct slice text)
{
	if (text.p != NULL)
		m->v[m->n++] = (struct dom_member){ .key = key, .val = dom_of_text(text) };
}

static void
add_value(struct making *m, struct slice key, const struct json_val *v)
{
	if (v->type == JV_ABSENT)
		return;
	m->v[m->n].key = key;
	m->failed |= dom_make(m->maker, v, &m->v[m->n++].val) != 0;
}

/* A list of strings, in which null stands for an empty one. */
static void
add_list(struct making *m, struct slice key, const struct json_val *v)
{
	struct dom	*list = &m->v[m->n].val;

	add_value(m, key, v);
	for (uint32_t i = 0; !m->failed && v->type == JV_ARRAY && i < list->n; i++)
		if (list->u.items[i].type == JV_NULL)
			list->u.items[i] = dom_of_text(SLICE(""));
}

static void
add_number(struct making *m, struct slice key, int64_t number)
{
	char		 text[24];
	struct slice	 copy;

	(void)snprintf(text, sizeof(text), "%" PRId64, number);
	copy = arena_copy(m->maker->arena, slice_of(text));
	m->failed |= copy.p == NULL;
	m->v[m->n++] = (struct dom_member){ .key = key, .val = { .type = JV_NUMBER, .n = (uint32_t)copy.n, .u.text = copy.p } };
}

int
document_make(struct dom_maker *maker, const struct event *ev, struct dom *out_r)
{
	static const struct json_val	 null = { .type = JV_NULL, .raw = { "null", 4 } };
	struct making			 m = { .maker = maker };

	add_text(&m, SLICE("operation"), ev->operation);
	add_text(&m, SLICE("id"), ev->id);
	add_text(&m, SLICE("table"), ev->table);
	add_list(&m, SLICE("key"), ev->key.type == JV_ABSENT ? &null : &ev->key);
	add_text(&m, SLICE("modelVersion"), ev->model_version);
	add_text(&m, SLICE("companyId"), ev->company_id);
	add_text(&m, SLICE("locationId"), ev->location_id);
	add_text(&m, SLICE("userId"), ev->user_id);
	add_value(&m, SLICE("before"), &ev->before);
	add_value(&m, SLICE("after"), &ev->after);
	add_list(&m, SLICE("diff"), &ev->diff);
	add_number(&m, SLICE("timestamp"), ev->timestamp_ms);
	add_text(&m, SLICE("mvccTimestamp"), ev->mvcc_timestamp);
	return m.failed ? -1 : dom_object(maker->arena, m.v, m.n, out_r);
}
