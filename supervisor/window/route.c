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

uint64_t
routes_of(const struct routes *r, struct slice subject)
{
	struct event_subject	 s;
	bool			 known = event_subject_parse(subject, &s);
	uint64_t		 bits = 0;

	for (size_t i = 0; i < ROUTE_SLOTS; i++) {
		const struct destination_config *d = r->slot[i];

		if (d != NULL && (!known || ((d->operations & operation_bit(s.operation)) != 0 &&
		    listed(d->tables, s.table) && listed(d->companies, s.company))))
			bits |= UINT64_C(1) << i;
	}
	return bits;
}
