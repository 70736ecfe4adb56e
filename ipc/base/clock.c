/* Time: what the clock says, and how it is written. */

#include <sys/random.h>
#include <time.h>

#include "ipc/base/clock.h"

static int64_t
now_ns(clockid_t id)
{
	struct timespec	 ts;

	(void)clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

mono_t
mono_now(void)
{
	return now_ns(CLOCK_MONOTONIC) / 1000000;
}

uint64_t
mono_us(void)
{
	return (uint64_t)now_ns(CLOCK_MONOTONIC) / 1000;
}

int64_t
wall_ms(void)
{
	return now_ns(CLOCK_REALTIME) / 1000000;
}

int64_t
wall_ns(void)
{
	return now_ns(CLOCK_REALTIME);
}

void
buf_rfc3339(struct buf *b, int64_t ns)
{
	time_t		 s = ns / 1000000000;
	int64_t		 frac = ns % 1000000000;
	struct tm	 tm;
	char		 text[40];

	if (frac < 0) {
		frac += 1000000000;
		s--;
	}
	if (gmtime_r(&s, &tm) == NULL)
		tm = (struct tm){ .tm_mday = 1, .tm_year = 70 };
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_adds(b, text);
	if (frac != 0) {
		char digits[12];
		int last = 9;

		for (int i = 8; i >= 0; i--, frac /= 10)
			digits[i] = (char)('0' + frac % 10);
		while (digits[last - 1] == '0')
			last--;
		buf_addc(b, '.');
		buf_add(b, digits, (size_t)last);
	}
	buf_addc(b, 'Z');
}

/* A number with a fraction as digits: in binary 1.001 s would fall short of 1001 ms. */
struct decimal {
	uint64_t	 whole;
	struct slice	 fraction;
};

static bool
decimal_take(struct slice *s, struct decimal *out_r)
{
	size_t	 n = 0, point;

	while (n < s->n && s->p[n] >= '0' && s->p[n] <= '9')
		n++;
	if (!slice_u64((struct slice){ s->p, n }, &out_r->whole))
		return false;
	point = n;
	if (n < s->n && s->p[n] == '.')
		for (n++; n < s->n && s->p[n] >= '0' && s->p[n] <= '9'; n++)
			;
	out_r->fraction = point == n ? SLICE("") : (struct slice){ s->p + point + 1, n - point - 1 };
	s->p += n;
	s->n -= n;
	return true;
}

static bool
decimal_add(const struct decimal *d, uint64_t unit_ns, uint64_t *total)
{
	uint64_t	 ns;

	if (d->whole > INT64_MAX / unit_ns)
		return false;
	ns = d->whole * unit_ns;
	for (size_t i = 0; i < d->fraction.n && unit_ns > 0; i++) {
		unit_ns /= 10;
		ns += unit_ns * (uint64_t)(d->fraction.p[i] - '0');
	}
	if (ns > INT64_MAX - *total)
		return false;
	*total += ns;
	return true;
}

bool
duration_parse(struct slice s, int64_t *ms_r)
{
	static const struct {
		const char	*unit;
		uint64_t	 ns;
	} units[] = {		/* longer names first where one is the start of another */
		{ "ms", 1000000 }, { "us", 1000 }, { "µs", 1000 }, { "ns", 1 },
		{ "d", 86400000000000 }, { "h", 3600000000000 }, { "m", 60000000000 }, { "s", 1000000000 },
	};
	uint64_t	 total = 0;

	if (slice_is(s, "0")) {
		*ms_r = 0;
		return true;
	}
	if (s.n == 0 || s.n > 60)
		return false;
	while (s.n > 0) {
		struct decimal d;
		size_t u, len = 0;

		if (!decimal_take(&s, &d))
			return false;
		for (u = 0; u < NELEM(units); u++) {
			len = strlen(units[u].unit);
			if (s.n >= len && memcmp(s.p, units[u].unit, len) == 0)
				break;
		}
		if (u == NELEM(units) || !decimal_add(&d, units[u].ns, &total))
			return false;
		s.p += len;
		s.n -= len;
	}
	*ms_r = (int64_t)(total / 1000000);
	return true;
}

void
buf_duration(struct buf *b, int64_t ms)
{
	static const struct {
		int64_t		 ms;
		const char	*unit;
	} units[] = { { 86400000, "d" }, { 3600000, "h" }, { 60000, "m" }, { 1000, "s" } };

	for (size_t i = 0; i < NELEM(units); i++) {
		if (ms < units[i].ms)
			continue;
		buf_printf(b, "%lld%s", (long long)(ms / units[i].ms), units[i].unit);
		ms %= units[i].ms;
		if (i + 1 < NELEM(units) && ms >= units[i + 1].ms)
			buf_printf(b, " %lld%s", (long long)(ms / units[i + 1].ms), units[i + 1].unit);
		return;
	}
	buf_printf(b, "%lldms", (long long)ms);
}

uint64_t
random_below(uint64_t below)
{
	uint64_t	 v;

	if (below == 0)
		return 0;
	if (getrandom(&v, sizeof(v), 0) != (ssize_t)sizeof(v))
		v = (uint64_t)now_ns(CLOCK_MONOTONIC);
	return v % below;
}

/* Exactly `n` digits at the front; takes them off. */
static bool
take_digits(struct slice *rest, size_t n, int *out_r)
{
	uint64_t	 v;

	if (rest->n < n || !slice_u64((struct slice){ rest->p, n }, &v))
		return false;
	*out_r = (int)v;
	rest->p += n;
	rest->n -= n;
	return true;
}

static bool
take_char(struct slice *rest, const char *any_of)
{
	if (rest->n == 0 || rest->p[0] == '\0' || strchr(any_of, rest->p[0]) == NULL)
		return false;
	rest->p++;
	rest->n--;
	return true;
}

/* ".123" as nanoseconds; nothing at all is 0. */
static bool
take_fraction(struct slice *rest, int64_t *ns_r)
{
	int64_t	 unit = 100000000;
	int	 digit;

	*ns_r = 0;
	if (!take_char(rest, "."))
		return true;
	if (!take_digits(rest, 1, &digit))
		return false;
	do {
		*ns_r += digit * unit;
		unit /= 10;
	} while (take_digits(rest, 1, &digit));
	return true;
}

static bool
take_zone(struct slice *rest, int *seconds_r)
{
	bool	 west = rest->n > 0 && rest->p[0] == '-';
	int	 h, m;

	*seconds_r = 0;
	if (take_char(rest, "Zz"))
		return true;
	if (!take_char(rest, "+-") || !take_digits(rest, 2, &h) || !take_char(rest, ":") || !take_digits(rest, 2, &m) ||
	    h > 23 || m > 59)
		return false;
	*seconds_r = (west ? -1 : 1) * (h * 3600 + m * 60);
	return true;
}

bool
rfc3339_parse(struct slice text, int64_t *epoch_ns_r)
{
	struct slice	 rest = text;
	struct tm	 tm = { 0 }, same;
	int64_t		 ns;
	time_t		 s;
	int		 zone;

	if (!take_digits(&rest, 4, &tm.tm_year) || !take_char(&rest, "-") || !take_digits(&rest, 2, &tm.tm_mon) ||
	    !take_char(&rest, "-") || !take_digits(&rest, 2, &tm.tm_mday) || !take_char(&rest, "Tt ") ||
	    !take_digits(&rest, 2, &tm.tm_hour) || !take_char(&rest, ":") || !take_digits(&rest, 2, &tm.tm_min) ||
	    !take_char(&rest, ":") || !take_digits(&rest, 2, &tm.tm_sec) || !take_fraction(&rest, &ns) ||
	    !take_zone(&rest, &zone) || rest.n > 0 || tm.tm_year < 1678 || tm.tm_year > 2261)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	same = tm;
	s = timegm(&tm);
	/* timegm() makes a date of anything: the 31st of February has to stay what it was. */
	if (tm.tm_mon != same.tm_mon || tm.tm_mday != same.tm_mday || tm.tm_hour != same.tm_hour || tm.tm_min != same.tm_min)
		return false;
	*epoch_ns_r = ((int64_t)s - zone) * 1000000000 + ns;
	return true;
}

bool
rfc3339_parse_ms(struct slice text, int64_t *epoch_ms_r)
{
	int64_t	 ns;

	if (!rfc3339_parse(text, &ns))
		return false;
	*epoch_ms_r = ns / 1000000;
	return true;
}
