/* Log lines for people, with a metadata object for programs. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "ipc/base/clock.h"
#include "ipc/base/json_out.h"
#include "ipc/base/log.h"

static enum log_level	 log_least = LOG_INFO;
static bool		 log_timestamps;
static bool		 log_colours;
static bool		 log_priorities;	/* stdout is the journal, which knows levels */
static char		 log_label[48];
static log_sink_fn	 log_sink;
static void		*log_sink_arg;
static log_sink_fn	 log_second;
static void		*log_second_arg;

static const char *const level_names[] = { "TRACE", "DEBUG", "INFO", "WARN", "ERROR" };
static const int level_priorities[] = { 7, 7, 6, 4, 3 };	/* of syslog */
static const char *const level_colours[] = { "\033[90m", "\033[34m", "\033[32m", "\033[33m", "\033[31m" };

const char *
log_level_name(enum log_level level)
{
	return level_names[level];
}

bool
log_level_parse(struct slice s, enum log_level *out_r)
{
	for (size_t i = 0; i < NELEM(level_names); i++) {
		if (s.n == strlen(level_names[i]) && strncasecmp(s.p, level_names[i], s.n) == 0) {
			*out_r = (enum log_level)i;
			return true;
		}
	}
	return false;
}

/* systemd.exec(5): $JOURNAL_STREAM names device and inode of the socket. */
static bool
writes_to_the_journal(void)
{
	const char		*stream = getenv("JOURNAL_STREAM");
	unsigned long long	 dev, ino;
	struct stat		 st;

	return stream != NULL && sscanf(stream, "%llu:%llu", &dev, &ino) == 2 && fstat(STDOUT_FILENO, &st) == 0 &&
	    st.st_dev == (dev_t)dev && st.st_ino == (ino_t)ino;
}

void
log_init(enum log_level least, bool timestamps, const char *label)
{
	const char	*term = getenv("TERM");

	log_least = least;
	log_priorities = writes_to_the_journal();
	log_timestamps = timestamps && !log_priorities;
	log_colours = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL &&
	    (term == NULL || strcmp(term, "dumb") != 0);
	log_label[0] = '\0';
	if (label != NULL && label[0] != '\0')
		(void)snprintf(log_label, sizeof(log_label), "[%s] ", label);
}

void
log_level_set(enum log_level least)
{
	log_least = least;
}

enum log_level
log_level_get(void)
{
	return log_least;
}

void
log_sink_set(log_sink_fn fn, void *arg)
{
	log_sink = fn;
	log_sink_arg = arg;
}

void
log_sink_add(log_sink_fn fn, void *arg)
{
	log_second = fn;
	log_second_arg = arg;
}

void
log_make(struct log *lg, const char *name, ...)
{
	va_list	 ap;

	lg->prefix[0] = '\0';
	va_start(ap, name);
	for (; name != NULL; name = va_arg(ap, const char *)) {
		char part[48];
		size_t used = strlen(lg->prefix);

		(void)snprintf(part, sizeof(part), "[%s] ", name);
		if (strstr(lg->prefix, part) == NULL)
			(void)snprintf(lg->prefix + used, sizeof(lg->prefix) - used, "%s", part);
	}
	va_end(ap);
}

static void
console(enum log_level level, const char *prefix, const char *text, const char *json)
{
	struct buf	 line = { 0 };

	if (log_priorities)
		buf_printf(&line, "<%d>", level_priorities[level]);
	if (log_timestamps) {
		time_t t = time(NULL);
		struct tm tm;
		char stamp[32];

		if (localtime_r(&t, &tm) != NULL && strftime(stamp, sizeof(stamp), "%Y/%m/%d %H:%M:%S ", &tm) > 0)
			buf_adds(&line, stamp);
	}
	if (log_colours) {
		buf_printf(&line, "%s[%s]%s\033[0m ", level_colours[level], level_names[level],
		    strlen(level_names[level]) == 4 ? " " : "");
		if (log_label[0] != '\0' || prefix[0] != '\0')
			buf_printf(&line, "\033[38;5;200m%s%s\033[0m", log_label, prefix);
		buf_printf(&line, "%s%s\033[0m", level_colours[level], text);
	} else
		buf_printf(&line, "[%s]%s %s%s%s", level_names[level], strlen(level_names[level]) == 4 ? " " : "",
		    log_label, prefix, text);
	if (json != NULL)
		buf_printf(&line, " %s", json);
	buf_addc(&line, '\n');
	if (!line.oom) {
		/* One write per line, so that lines of several processes do not mix. */
		size_t off = 0;

		while (off < line.len) {
			ssize_t n = write(STDOUT_FILENO, line.data + off, line.len - off);

			if (n <= 0)
				break;	/* nowhere left to complain */
			off += (size_t)n;
		}
	}
	buf_free(&line);
}

void
log_text(enum log_level level, const char *prefix, const char *text, const char *json)
{
	if (log_second != NULL)
		log_second(log_second_arg, level, prefix, text, json);
	if (level < log_least)
		return;
	if (log_sink != NULL)
		log_sink(log_sink_arg, level, prefix, text, json);
	else
		console(level, prefix, text, json);
}

void
log_write(const struct log *lg, enum log_level level, const struct log_kv *kv, const char *fmt, ...)
{
	struct buf	 text = { 0 }, json = { 0 };
	va_list		 ap;
	char		 small[512];
	int		 n;

	if (level < log_least && log_second == NULL)
		return;
	va_start(ap, fmt);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	va_end(ap);
	if (n < 0)
		return;
	if ((size_t)n < sizeof(small))
		buf_add(&text, small, (size_t)n);
	else if (buf_reserve(&text, (size_t)n + 1)) {
		va_start(ap, fmt);
		(void)vsnprintf((char *)text.data, (size_t)n + 1, fmt, ap);
		va_end(ap);
		text.len = (size_t)n;
	}
	/* One line stays one line. */
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] == '\n' || text.data[i] == '\r')
			text.data[i] = ' ';
	if (kv != NULL) {
		buf_addc(&json, '{');
		for (const struct log_kv *k = kv; k->key != NULL; k++) {
			if (k != kv)
				buf_addc(&json, ',');
			json_out_str(&json, slice_of(k->key));
			buf_addc(&json, ':');
			switch (k->type) {
			case LOG_KV_STR:
				json_out_str(&json, slice_of(k->str));
				break;
			case LOG_KV_U64:
				buf_printf(&json, "%llu", (unsigned long long)k->u64);
				break;
			case LOG_KV_I64:
				buf_printf(&json, "%lld", (long long)(int64_t)k->u64);
				break;
			}
		}
		buf_addc(&json, '}');
	}
	log_text(level, lg == NULL ? "" : lg->prefix, buf_cstr(&text), kv == NULL ? NULL : buf_cstr(&json));
	buf_free(&text);
	buf_free(&json);
}
