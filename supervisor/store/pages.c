#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "supervisor/store/pages.h"

#define MAGIC		0xBEEFC0DEu
#define VERSION		1u
#define NO_PAGE		SIZE_MAX	/* the root of an empty database */
#define PSIZE_LEAST	256u
#define PSIZE_MOST	65536u
#define DEPTH_MOST	16u		/* of a tree; LMDB stops at 32, 2^40 entries need 8 */
#define KEY_MOST	511u
#define RUN		(64u << 10)	/* bytes of leaves read at once: neighbours were written together */

enum { P_BRANCH = 1, P_LEAF = 2, P_OVERFLOW = 4, P_META = 8 };
enum { F_BIGDATA = 1, F_SUBDATA = 2 };

enum tree { TREE_FREE, TREE_NAMES, TREE_ENTRIES };	/* the last: of a database with a name */

struct head {			/* of each page; 16 bytes */
	size_t		 pgno;
	uint16_t	 pad;
	uint16_t	 flags;
	union {
		struct {
			uint16_t lower, upper;	/* of the free space */
		} bounds;
		uint32_t pages;			/* of an overflow run */
	} u;
};

struct node {			/* before key and value; 8 bytes */
	uint16_t	 lo, hi;
	uint16_t	 flags;
	uint16_t	 ksize;
};

struct db {			/* the record of a database; 48 bytes */
	uint32_t	 pad;		/* of the first one of a file: the page size */
	uint16_t	 flags;
	uint16_t	 depth;
	size_t		 branch_pages, leaf_pages, overflow_pages;
	size_t		 entries;
	size_t		 root;
};

struct meta {
	uint32_t	 magic;
	uint32_t	 version;
	void		*address;
	size_t		 mapsize;
	struct db	 dbs[2];	/* of free pages; of names */
	size_t		 last_page;
	size_t		 txnid;
};

struct pages {
	int		 fd;
	size_t		 psize;
	size_t		 count;			/* pages of the file, a last partial one not counted */
	struct meta	 meta, other;		/* the state in use; the one before, txnid 0 if unreadable */
	uint8_t		*run;			/* RUN bytes of the file ... */
	size_t		 run_first, run_n;	/* ... as pages */
	uint8_t		*branch[DEPTH_MOST];	/* a page per level on the way down */
	struct buf	 over;			/* a value of more than a page */
};

int
pages_open(struct pages **p_r, const char *path, struct err *err)
{
	struct pages	*p = calloc(1, sizeof(*p));

	if (p == NULL)
		return err_set(err, ERR_NOMEM, "pages");
	if ((p->fd = open(path, O_RDONLY | O_CLOEXEC)) == -1) {
		free(p);
		return err_sys(err, "cannot open %s", path);
	}
	if ((p->run = malloc(RUN)) == NULL) {
		pages_close(&p);
		return err_set(err, ERR_NOMEM, "pages");
	}
	*p_r = p;
	return 0;
}

void
pages_close(struct pages **pp)
{
	struct pages	*p = *pp;

	if (p == NULL)
		return;
	for (unsigned i = 0; i < DEPTH_MOST; i++)
		free(p->branch[i]);
	buf_free(&p->over);
	free(p->run);
	(void)close(p->fd);
	free(p);
	*pp = NULL;
}

/* As many of the bytes as can be read: up to the end, or to a sector that is bad. */
static size_t
read_at(const struct pages *p, uint8_t *out, size_t n, uint64_t at)
{
	size_t	 done = 0;

	while (done < n) {
		ssize_t got = pread(p->fd, out + done, n - done, (off_t)(at + done));

		if (got == -1 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		done += (size_t)got;
	}
	return done;
}

/* One page within the run that is in memory, or NULL.  Dies with the next call. */
static const uint8_t *
page_at(struct pages *p, size_t pgno)
{
	if (pgno >= p->count)
		return NULL;
	if (pgno < p->run_first || pgno - p->run_first >= p->run_n) {
		p->run_first = pgno;
		p->run_n = read_at(p, p->run, RUN, (uint64_t)pgno * p->psize) / p->psize;
	}
	return p->run_n == 0 ? NULL : p->run + (pgno - p->run_first) * p->psize;
}

static struct head
head_of(const uint8_t *page)
{
	struct head	 h;

	(void)memcpy(&h, page, sizeof(h));
	return h;
}

static bool
read_meta(const struct pages *p, size_t at, struct meta *m)
{
	uint8_t		 page[sizeof(struct head) + sizeof(*m)];

	if (read_at(p, page, sizeof(page), at) != sizeof(page) || (head_of(page).flags & P_META) == 0)
		return false;
	(void)memcpy(m, page + sizeof(struct head), sizeof(*m));
	return m->magic == MAGIC && m->version == VERSION && m->dbs[0].pad >= PSIZE_LEAST && m->dbs[0].pad <= PSIZE_MOST &&
	    (m->dbs[0].pad & (m->dbs[0].pad - 1)) == 0;
}

int
pages_newest(struct pages *p, struct err *err)
{
	struct meta	 m[2];
	bool		 good[2];
	struct stat	 st;
	int		 newest;

	p->run_n = 0;
	good[0] = read_meta(p, 0, &m[0]);
	good[1] = read_meta(p, good[0] ? m[0].dbs[0].pad : (size_t)sysconf(_SC_PAGESIZE), &m[1]);
	if (!good[0] && !good[1])
		return err_set(err, ERR_INVALID, "its first pages cannot be read");
	if (fstat(p->fd, &st) == -1)
		return err_sys(err, "fstat");
	newest = good[0] && (!good[1] || m[0].txnid > m[1].txnid) ? 0 : 1;
	p->meta = m[newest];
	p->other = good[1 - newest] ? m[1 - newest] : (struct meta){ 0 };
	p->psize = p->meta.dbs[0].pad;
	p->count = (size_t)((uint64_t)st.st_size / p->psize);
	return 0;
}

int
pages_before(struct pages *p, struct err *err)
{
	if (p->other.txnid == 0 || p->other.dbs[0].pad != p->psize)
		return err_set(err, ERR_NOTFOUND, "there is no earlier state");
	p->meta = p->other;
	p->run_n = 0;
	return 0;
}

bool
pages_cut_short(const struct pages *p)
{
	return p->count <= p->meta.last_page;
}

struct walk {
	struct pages			*p;
	const struct pages_visitor	*visitor;
	struct slice			 after;
	uint8_t				 last[KEY_MOST];	/* key of the last good entry, or `after` */
	size_t				 last_n;
	bool				 hole;			/* something since then could not be read */
	enum tree			 tree;
	unsigned			 depth;			/* levels of the tree, as its record says: a hint */
	size_t				 budget;		/* pages that may still be looked at: damage can make circles */
	bool				 no_memory;
};

static int
compare(const struct walk *w, struct slice a, struct slice b)
{
	size_t	 x, y;
	int	 c;

	/* Free pages are listed by the number of a transaction, as the machine has it. */
	if (w->tree == TREE_FREE && a.n == sizeof(x) && b.n == sizeof(y)) {
		(void)memcpy(&x, a.p, sizeof(x));
		(void)memcpy(&y, b.p, sizeof(y));
		return x < y ? -1 : x > y;
	}
	c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

static struct slice
last_of(const struct walk *w)
{
	return w->last_n == 0 ? (struct slice){ 0 } : (struct slice){ (const char *)w->last, w->last_n };
}

static void
tell(struct walk *w, struct slice before)
{
	if (w->hole)
		w->visitor->lost(w->visitor->arg, last_of(w), before);
	w->hole = false;
}

static bool
page_is_sound(const struct pages *p, const uint8_t *page, size_t pgno, uint16_t kind)
{
	struct head	 h;

	if (page == NULL)
		return false;
	h = head_of(page);
	return h.pgno == pgno && (h.flags & (P_BRANCH | P_LEAF | P_OVERFLOW | P_META)) == kind &&
	    (kind == P_OVERFLOW || (h.u.bounds.lower >= sizeof(h) && h.u.bounds.lower <= h.u.bounds.upper &&
	    h.u.bounds.upper <= p->psize && h.u.bounds.lower % 2 == 0));
}

/* The i-th node of a sound page with its key; false when it does not lie in the page. */
static bool
node_at(const struct pages *p, const uint8_t *page, unsigned i, struct node *n, struct slice *key, const uint8_t **value)
{
	struct head	 h = head_of(page);
	uint16_t	 at;

	(void)memcpy(&at, page + sizeof(h) + i * sizeof(at), sizeof(at));
	if (at < h.u.bounds.upper || at + sizeof(*n) > p->psize)
		return false;
	(void)memcpy(n, page + at, sizeof(*n));
	if (n->ksize > KEY_MOST || at + sizeof(*n) + n->ksize > p->psize)
		return false;
	*key = (struct slice){ (const char *)page + at + sizeof(*n), n->ksize };
	*value = page + at + sizeof(*n) + n->ksize;
	return true;
}

/* A run of overflow pages; not by page_at(), whose page the key lies in. */
static bool
large_value(struct walk *w, size_t pgno, size_t n, struct slice *value)
{
	struct pages	*p = w->p;
	size_t		 want = sizeof(struct head) + n;

	if (pgno >= p->count || want > (p->count - pgno) * p->psize)
		return false;
	buf_reset(&p->over);
	if (!buf_reserve(&p->over, want)) {
		w->no_memory = true;
		return false;
	}
	if (read_at(p, p->over.data, want, (uint64_t)pgno * p->psize) != want ||
	    !page_is_sound(p, p->over.data, pgno, P_OVERFLOW) || head_of(p->over.data).u.pages < (want + p->psize - 1) / p->psize)
		return false;
	*value = (struct slice){ (const char *)p->over.data + sizeof(struct head), n };
	return true;
}

static bool
value_of(struct walk *w, const uint8_t *page, const struct node *n, const uint8_t *at, struct slice *value)
{
	size_t	 size = (size_t)n->lo | (size_t)n->hi << 16, room = (size_t)(page + w->p->psize - at), pgno;

	if (((n->flags & F_SUBDATA) != 0) != (w->tree == TREE_NAMES))
		return false;
	if ((n->flags & F_BIGDATA) != 0) {
		if (room < sizeof(pgno))
			return false;
		(void)memcpy(&pgno, at, sizeof(pgno));
		return large_value(w, pgno, size, value);
	}
	*value = (struct slice){ (const char *)at, size };
	return size <= room;
}

/* Keys rise, and stay below `high` ({ NULL, 0 }: no bound): what does not is not what was written. */
static int
walk_leaf(struct walk *w, const uint8_t *page, struct slice high)
{
	unsigned	 n = (head_of(page).u.bounds.lower - (unsigned)sizeof(struct head)) / 2;
	int		 rc = 0;

	for (unsigned i = 0; i < n && rc == 0; i++) {
		struct node node;
		struct slice key, value;
		const uint8_t *at;

		if (!node_at(w->p, page, i, &node, &key, &at) || key.n == 0 || (high.p != NULL && compare(w, key, high) >= 0)) {
			w->hole = true;
			continue;
		}
		if (w->after.p != NULL && compare(w, key, w->after) <= 0)
			continue;
		if ((w->last_n > 0 && compare(w, key, last_of(w)) <= 0) || !value_of(w, page, &node, at, &value)) {
			w->hole = true;
			continue;
		}
		tell(w, key);
		rc = w->visitor->entry(w->visitor->arg, key, value);
		(void)memcpy(w->last, key.p, key.n);
		w->last_n = key.n;
	}
	return rc;
}

static int walk_page(struct walk *, size_t pgno, unsigned level, struct slice high);

/* A branch has the first key of each child, the first child's left out. */
static int
walk_branch(struct walk *w, const uint8_t *page, unsigned level, struct slice high)
{
	unsigned	 n = (head_of(page).u.bounds.lower - (unsigned)sizeof(struct head)) / 2;
	int		 rc = 0;

	for (unsigned i = 0; i < n && rc == 0; i++) {
		struct node node, next;
		struct slice key, end = high;
		const uint8_t *at;

		if (i + 1 < n && !node_at(w->p, page, i + 1, &next, &end, &at))
			end = high;
		if (w->after.p != NULL && i + 1 < n && end.p != high.p && compare(w, end, w->after) <= 0)
			continue;
		if (node_at(w->p, page, i, &node, &key, &at)) {
			size_t child = (size_t)node.lo | (size_t)node.hi << 16;

			if (sizeof(child) > 4)
				child |= (size_t)((uint64_t)node.flags << 32);
			rc = walk_page(w, child, level + 1, end);
		} else
			w->hole = true;
	}
	return rc;
}

/* Below the branches the leaves are read in runs, each branch alone and into memory of its own. */
static const uint8_t *
page_on_level(struct walk *w, size_t pgno, unsigned level)
{
	struct pages	*p = w->p;
	const uint8_t	*page;

	if (level >= DEPTH_MOST || w->budget == 0)
		return NULL;
	w->budget--;
	if (level + 1 >= w->depth && w->tree != TREE_NAMES) {
		page = page_at(p, pgno);
		if (page == NULL || page_is_sound(p, page, pgno, P_LEAF))
			return page;
	}
	if (p->branch[level] == NULL && (p->branch[level] = malloc(PSIZE_MOST)) == NULL) {
		w->no_memory = true;
		return NULL;
	}
	return pgno < p->count && read_at(p, p->branch[level], p->psize, (uint64_t)pgno * p->psize) == p->psize ? p->branch[level] : NULL;
}

static int
walk_page(struct walk *w, size_t pgno, unsigned level, struct slice high)
{
	const uint8_t	*page = page_on_level(w, pgno, level);

	if (page_is_sound(w->p, page, pgno, P_LEAF))
		return walk_leaf(w, page, high);
	if (page_is_sound(w->p, page, pgno, P_BRANCH))
		return walk_branch(w, page, level, high);
	w->hole = true;
	return w->no_memory;
}

static int
walk_tree(struct pages *p, const struct db *db, enum tree tree, struct slice after, const struct pages_visitor *visitor, struct err *err)
{
	struct walk	 w = { .p = p, .visitor = visitor, .after = after, .tree = tree,
		.depth = db->depth, .budget = p->count };
	int		 rc;

	if (db->root == NO_PAGE)
		return 0;
	if (after.n > sizeof(w.last))
		return err_set(err, ERR_INVALID, "a key of %zu bytes", after.n);
	if (after.n > 0)
		(void)memcpy(w.last, after.p, w.last_n = after.n);
	rc = walk_page(&w, db->root, 0, (struct slice){ 0 });
	if (w.no_memory)
		return err_set(err, ERR_NOMEM, "pages");
	if (rc == 0)
		tell(&w, (struct slice){ 0 });
	return 0;
}

struct name_search {
	struct slice	 name;
	struct db	 db;
	bool		 found, lost;
};

static int
is_it(void *arg, struct slice key, struct slice value)
{
	struct name_search	*s = arg;

	if (value.n != sizeof(s->db) || !slice_eq(key, s->name))
		return 0;
	(void)memcpy(&s->db, value.p, sizeof(s->db));
	s->found = true;
	return 1;
}

static void
name_lost(void *arg, struct slice after, struct slice before)
{
	struct name_search	*s = arg;

	(void)after;
	(void)before;
	s->lost = true;
}

static int
find_db(struct pages *p, const char *name, struct db *db_r, struct err *err)
{
	struct name_search	 s = { .name = slice_of(name) };

	if (walk_tree(p, &p->meta.dbs[1], TREE_NAMES, (struct slice){ 0 }, &(struct pages_visitor){ is_it, name_lost, &s }, err) == -1)
		return -1;
	if (!s.found)
		return s.lost ? err_set(err, ERR_INVALID, "its list of contents cannot be read") :
		    err_set(err, ERR_NOTFOUND, "there is no %s", name);
	*db_r = s.db;
	return 0;
}

int
pages_entries(struct pages *p, const char *name, uint64_t *n_r, struct err *err)
{
	struct db	 db = { 0 };

	if (find_db(p, name, &db, err) == -1)
		return -1;
	*n_r = db.entries;
	return 0;
}

int
pages_walk(struct pages *p, const char *name, struct slice after, const struct pages_visitor *visitor, struct err *err)
{
	struct db	 db = { 0 };

	if (name == NULL)
		return walk_tree(p, &p->meta.dbs[0], TREE_FREE, after, visitor, err);
	return find_db(p, name, &db, err) == -1 ? -1 : walk_tree(p, &db, TREE_ENTRIES, after, visitor, err);
}
