/* Numbers, times and paragraphs the way people read them, and the answers that are little more than a sentence. */

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "ipc/base/clock.h"
#include "supervisor/control/edsctl_text.h"

void
text_colour(struct buf *out, const struct text_style *style, enum text_colour colour)
{
	static const char *const codes[] = {
		[TEXT_PLAIN] = "\033[0m", [TEXT_BOLD] = "\033[1m", [TEXT_RED] = "\033[31m", [TEXT_GREEN] = "\033[32m",
		[TEXT_YELLOW] = "\033[33m",
	};

	if (style->colour)
		buf_adds(out, codes[colour]);
}

static void
scaled(struct buf *out, double v, const char *unit)
{
	buf_printf(out, v < 99.95 ? "%.1f%s" : "%.0f%s", v, unit);
}

/* A whole number with its digits in groups of three. */
static void
grouped(struct buf *out, double v)
{
	char	 digits[40];
	int	 n = snprintf(digits, sizeof(digits), "%.0f", v);

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0 && digits[i - 1] != '-')
			buf_addc(out, ',');
		buf_addc(out, digits[i]);
	}
}

void
text_count(struct buf *out, double n)
{
	if (fabs(n) < 1e7)
		grouped(out, n);
	else if (fabs(n) < 1e9)
		scaled(out, n / 1e6, "M");
	else
		scaled(out, n / 1e9, "G");
}

void
text_bytes(struct buf *out, double bytes)
{
	static const char *const units[] = { " B", " KiB", " MiB", " GiB", " TiB" };
	size_t	 u = 0;

	for (; bytes >= 1023.5 && u + 1 < NELEM(units); u++)
		bytes /= 1024;
	buf_printf(out, bytes == floor(bytes) || bytes >= 99.95 ? "%.0f%s" : "%.1f%s", bytes, units[u]);
}

void
text_rate(struct buf *out, double v)
{
	if (v <= 0)
		buf_addc(out, '0');
	else if (v < 0.05)
		buf_adds(out, "<0.1");
	else if (v < 9.95)
		buf_printf(out, "%.1f", v);
	else if (v < 9999.5)
		grouped(out, v);
	else if (v < 999500)
		scaled(out, v / 1e3, "k");
	else
		scaled(out, v / 1e6, "M");
	buf_adds(out, "/s");
}

void
text_ago(struct buf *out, int64_t epoch_ms, int64_t now_ms)
{
	if (epoch_ms == 0) {
		buf_adds(out, "never");
	} else if (now_ms - epoch_ms < 1000) {
		buf_adds(out, "just now");
	} else {
		buf_duration(out, now_ms - epoch_ms);
		buf_adds(out, " ago");
	}
}

/*
 * Length in bytes of the character at the front, and its columns.  From Hangul on everything counts as
 * wide: too much for some characters, never too little for those that occur.
 */
static size_t
character(struct slice s, unsigned *columns_r)
{
	unsigned char	 c = (unsigned char)s.p[0];
	size_t		 n = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	*columns_r = c > 0xe1 || (c == 0xe1 && s.n > 1 && (unsigned char)s.p[1] >= 0x84) ? 2 : 1;
	return n > s.n ? s.n : n;
}

unsigned
text_columns(struct slice s)
{
	unsigned	 columns = 0, one;

	for (size_t n; s.n > 0; s.p += n, s.n -= n) {
		n = character(s, &one);
		columns += one;
	}
	return columns;
}

/* C0, DEL and C1 (in UTF-8): what a terminal would obey. */
static bool
steers(struct slice s)
{
	unsigned char	 c = (unsigned char)s.p[0];

	return c < 0x20 || c == 0x7f || (c == 0xc2 && s.n > 1 && (unsigned char)s.p[1] < 0xa0);
}

static bool
is_blank(struct slice s)
{
	return s.p[0] == ' ' || steers(s);
}

/* The next word of the paragraph, off its front. */
static struct slice
next_word(struct slice *rest)
{
	struct slice	 word;
	unsigned	 columns;
	size_t		 n;

	for (; rest->n > 0 && is_blank(*rest); rest->p += n, rest->n -= n)
		n = character(*rest, &columns);
	word = (struct slice){ rest->p, 0 };
	for (; rest->n > 0 && !is_blank(*rest); rest->p += n, rest->n -= n, word.n += n)
		n = character(*rest, &columns);
	return word;
}

static void
new_line(struct buf *out, unsigned indent, unsigned *column)
{
	buf_printf(out, "\n%*s", (int)indent, "");
	*column = indent;
}

/* What fits no line, not even in pieces, is cut where the line ends. */
static void
add_cut(struct buf *out, struct slice word, unsigned *column, unsigned indent, unsigned width)
{
	unsigned	 one;

	for (size_t n; word.n > 0; word.p += n, word.n -= n) {
		n = character(word, &one);
		if (*column + one > width)
			new_line(out, indent, column);
		buf_add(out, word.p, n);
		*column += one;
	}
}

/* The next piece of a long word, off its front: up to and with the punctuation it may break behind. */
static struct slice
next_piece(struct slice *word)
{
	struct slice	 piece = { word->p, 0 };

	while (piece.n < word->n && strchr("./,:;?&=", piece.p[piece.n]) == NULL)
		piece.n++;
	while (piece.n < word->n && strchr("./,:;?&=", piece.p[piece.n]) != NULL)
		piece.n++;
	word->p += piece.n;
	word->n -= piece.n;
	return piece;
}

/* A word that fits no line, in pieces; one that is too long itself goes on where the one before it ended. */
static void
add_pieces(struct buf *out, struct slice word, unsigned *column, unsigned indent, unsigned width)
{
	struct slice	 piece;

	while (word.n > 0) {
		unsigned need;

		piece = next_piece(&word);
		need = text_columns(piece);
		if (*column + need > width && *column > indent && need <= width - indent)
			new_line(out, indent, column);
		add_cut(out, piece, column, indent, width);
	}
}

/* What has to fit where a word begins: all of it, or its first piece, or the first character of what is cut. */
static unsigned
columns_at_once(struct slice word, unsigned room)
{
	unsigned	 all = text_columns(word), piece = text_columns(next_piece(&word));

	return all <= room ? all : piece <= room ? piece : 2;
}

void
text_wrap(struct buf *out, struct slice rest, unsigned column, unsigned indent, unsigned width)
{
	struct slice	 word;
	bool		 fresh = true;		/* nothing stands on this line that needs a blank */

	while ((word = next_word(&rest)).n > 0) {
		unsigned gap = fresh ? 0 : 1, need = columns_at_once(word, width - indent);

		if (column + gap + need > width && column > indent) {
			new_line(out, indent, &column);
			gap = 0;
		}
		if (gap == 1 && column < width) {
			buf_addc(out, ' ');
			column++;
		}
		add_pieces(out, word, &column, indent, width);
		fresh = false;
	}
	buf_addc(out, '\n');
}

static struct slice
text_of(const json_t *v)
{
	return json_is_string(v) ? (struct slice){ json_string_value(v), json_string_length(v) } : SLICE("");
}

static void
add_lines(struct buf *out, const json_t *list, unsigned indent, const struct text_style *style)
{
	const json_t	*line;
	size_t		 i;

	json_array_foreach(list, i, line) {
		buf_printf(out, "%*s", (int)indent, "");
		text_wrap(out, text_of(line), indent, indent + 2, style->width);
	}
}

void
text_raw(struct buf *out, const json_t *answer)
{
	const json_t	*line;
	size_t		 i;

	json_array_foreach(json_object_get(answer, "lines"), i, line) {
		buf_adds_slice(out, text_of(line));
		buf_addc(out, '\n');
	}
}

void
text_answer(struct buf *out, const json_t *answer, const struct text_style *style)
{
	struct slice	 message = text_of(json_object_get(answer, "message")), error = text_of(json_object_get(answer, "error"));

	if (message.n > 0)
		text_wrap(out, message, 0, 2, style->width);
	add_lines(out, json_object_get(answer, "changes"), 2, style);
	add_lines(out, json_object_get(answer, "lines"), 2, style);
	if (error.n > 0) {
		text_colour(out, style, TEXT_RED);
		text_wrap(out, error, 0, 2, style->width);
		text_colour(out, style, TEXT_PLAIN);
	}
}

void
text_why(struct buf *out, const json_t *answer, const struct text_style *style)
{
	struct slice	 name = text_of(json_object_get(answer, "name")), state = text_of(json_object_get(answer, "state"));
	const json_t	*since = json_object_get(answer, "since");
	struct buf	 head = { 0 };

	if (name.n == 0) {
		text_answer(out, answer, style);
		return;
	}
	buf_printf(&head, SLICE_FMT " is " SLICE_FMT, SLICE_ARG(name), SLICE_ARG(state));
	if (json_integer_value(since) != 0) {
		buf_adds(&head, "; this began ");
		text_ago(&head, json_integer_value(since), style->now_ms);
	}
	text_colour(out, style, TEXT_BOLD);
	text_wrap(out, buf_slice(&head), 0, 2, style->width);
	text_colour(out, style, TEXT_PLAIN);
	buf_free(&head);
	add_lines(out, json_object_get(answer, "explain"), 2, style);
}

void
text_import(struct buf *b, const struct text_import *p)
{
	buf_adds(b, p->phase);
	if (p->files == 0 && p->tables_exported < p->tables)
		buf_printf(b, ", %llu of %llu tables are exported", (unsigned long long)p->tables_exported, (unsigned long long)p->tables);
	if (p->files > 0) {
		buf_printf(b, ", %llu of %llu files, ", (unsigned long long)p->files_done, (unsigned long long)p->files);
		text_count(b, (double)p->rows);
		buf_adds(b, " rows");
	}
	if (p->rejected > 0)
		buf_printf(b, ", %llu refused", (unsigned long long)p->rejected);
	if (p->skipped > 0)
		buf_printf(b, ", %llu held back by the rules", (unsigned long long)p->skipped);
	if (p->rows_per_s > 0) {
		buf_adds(b, ", ");
		text_rate(b, p->rows_per_s);
	}
	if (p->left_ms >= 0) {
		buf_adds(b, ", about ");
		buf_duration(b, p->left_ms);
		buf_adds(b, " left");
	}
}

static uint64_t
count_of(const json_t *o, const char *key)
{
	json_int_t	 v = json_integer_value(json_object_get(o, key));

	return v < 0 ? 0 : (uint64_t)v;
}

struct text_import
text_import_of(const json_t *o)
{
	const char	*phase = json_string_value(json_object_get(o, "phase"));

	return (struct text_import){ .phase = phase == NULL ? "" : phase, .tables = count_of(o, "tables"),
	    .tables_exported = count_of(o, "tables_exported"), .files = count_of(o, "files"), .files_done = count_of(o, "files_done"),
	    .rows = count_of(o, "rows"), .rejected = count_of(o, "rejected"),
	    .skipped = count_of(o, "skipped"),
	    .rows_per_s = json_real_value(json_object_get(o, "rows_per_s")),
	    .left_ms = json_integer_value(json_object_get(o, "left_ms")) };
}

unsigned
text_width(int fd)
{
	const char	*wanted = getenv("COLUMNS");
	struct winsize	 ws;
	uint64_t	 columns;
	unsigned	 width = 80;

	if (wanted != NULL && slice_u64(slice_of(wanted), &columns) && columns > 0 && columns <= 1000)
		width = (unsigned)columns;
	else if (isatty(fd) && ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0)
		width = ws.ws_col;
	return width < TEXT_WIDTH_MIN ? TEXT_WIDTH_MIN : width;
}
