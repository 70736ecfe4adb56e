/* Finding the event that kills its worker, by bisection. */

#include "supervisor/child/suspect.h"

static uint64_t
half(uint64_t n)
{
	return n < 2 ? 1 : n / 2;
}

bool
suspect_died(struct suspect *s, uint64_t committed, uint64_t last, size_t n)
{
	bool	 again = s->has_position && s->position == committed;

	if (n == 0)
		return false;
	s->position = committed;
	s->has_position = true;
	if (!s->active) {
		if (!again)
			return false;
		s->active = true;
		s->deaths = 1;
		s->alone = 0;
		s->upto = last;
		s->cap = half(n);
	}
	s->deaths++;
	if (last > s->upto)
		s->upto = last;
	if (n > 1) {
		s->alone = 0;
		s->cap = half(n);
		return false;
	}
	s->cap = 1;
	s->alone = again ? s->alone + 1 : 1;
	if (s->alone < SUSPECT_ALONE)
		return false;
	s->alone = 0;
	return true;
}

void
suspect_committed(struct suspect *s, uint64_t committed)
{
	if (!s->active)
		return;
	if (committed >= s->upto) {
		*s = (struct suspect){ 0 };
		return;
	}
	/* Good events make bolder. */
	if (s->cap < (uint64_t)1 << 20)
		s->cap *= 2;
}

uint64_t
suspect_room(const struct suspect *s, size_t in_flight)
{
	if (!s->active)
		return UINT64_MAX;
	return in_flight >= s->cap ? 0 : s->cap - in_flight;
}
