/* Routing by subject. */

#include "ipc/event.h"
#include "supervisor/window/route.h"

static bool
listed(char *const *list, struct slice name)
{
	if (list == NULL)
		return true;
	for (; *list != NULL; list++)
		if (slice_is(name, *list))
			return true;
	return false;
}

static unsigned
operation_bit(struct slice op)
{
	return slice_is(op, "INSERT") ? ROUTE_INSERT : slice_is(op, "UPDATE") ? ROUTE_UPDATE :
	    slice_is(op, "DELETE") ? ROUTE_DELETE : ROUTE_INSERT | ROUTE_UPDATE | ROUTE_DELETE;
}

static bool
takes_all(const struct destination_config *d)
{
	const unsigned	 every = ROUTE_INSERT | ROUTE_UPDATE | ROUTE_DELETE;

	return d->tables == NULL && d->companies == NULL && (d->operations & every) == every;
}

/* Takes a subject apart once, and only when somebody chooses. */
struct choice {
	struct event_subject	 s;
	bool			 looked, known;
};

static bool
takes(const struct destination_config *d, struct slice subject, struct choice *c)
{
	if (takes_all(d))
		return true;
	if (!c->looked)
		c->known = event_subject_parse(subject, &c->s);
	c->looked = true;
	return !c->known || ((d->operations & operation_bit(c->s.operation)) != 0 &&
	    listed(d->tables, c->s.table) && listed(d->companies, c->s.company));
}

uint64_t
routes_of(const struct routes *r, struct slice subject)
{
	struct choice	 c = { .looked = false };
	uint64_t	 bits = 0;

	for (size_t i = 0; i < ROUTE_SLOTS; i++)
		if (r->slot[i] != NULL && takes(r->slot[i], subject, &c))
			bits |= UINT64_C(1) << i;
	return bits;
}
