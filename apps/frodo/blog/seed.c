/*
 * Demo posts for a first look and for measurements: some written by hand in English, Chinese and
 * Korean, and as many more of their sentences as are wanted. Called by the command `frodo seed`.
 */
#include "blog/blog.h"
#include "blog/making.h"

#include <inttypes.h>
#include <stdlib.h>

typedef struct sample {
    int author;
    const char *title, *content;
    const char *tags[3];
    const char *comments[2];
} sample;

static const char *const authors[] = {"bilbo", "xiaoming", "minji"};
/* Posts of one transaction: with the words of each, some 1,400 rows, which take few milliseconds.
 */
enum { AUTHORS = sizeof authors / sizeof *authors, BATCH = 20 };

static const sample samples[] = {
    {0,
     "Straight-line code that waits",
     "A handler reads like a story: ask the database, wait, answer. There are *no callbacks* and "
     "no "
     "colours to remember.\n\n## What an await does\n\nThe task is put aside, **its stack stays**, "
     "and the loop runs somebody else.\n\n```c\nuser *u = await(bide_maybe(db, user, \"id = $1\", "
     "id));\nif (!u)\n    fail(http_error(404, \"no such user\"));\n```\n\n> A thing that may wait "
     "says so in its type.\n\n- forgotten awaits do not compile\n- errors unwind, cleanups run\n- "
     "a cancel reaches every wait\n",
     {"async", "c"},
     {"This is what I wanted to read.", "How large is such a stack?"}},
    {0,
     "A cache that is never stale",
     "Two hard things: naming, and knowing when to forget. Here a value that was read *before* a "
     "change cannot be kept *after* it: who loads it holds a ticket, and the change tears it "
     "up.\n\n| | reads | hits |\n|---|--:|--:|\n| index | 1000 | 998 |\n| post | 1000 | 999 "
     "|\n\n1. "
     "change the row\n2. commit\n3. drop the keys, all at the same time\n",
     {"cache", "databases"},
     {"Nice tables.", NULL}},
    {0,
     "Second breakfast, and other scheduled tasks",
     "What runs in the background has an owner and an end. ~~Fire and forget~~ is how breakfasts "
     "get lost.\n\n- [x] first breakfast\n- [x] second breakfast\n- [ ] elevenses\n",
     {"async", "shire"},
     {"And luncheon?", NULL}},
    {1,
     "异步编程入门",
     "同步代码一次只做一件事：等数据库的时候，什么也不能做。异步编程让程序在等待时去做别的工作。\n"
     "\n"
     "## 协程\n\n每个协程有自己的栈，所以代码**从上到下**读，不需要回调。\n\n"
     "```c\nawait(gather(bide_into(&posts, load_posts, db), bide_into(&tags, load_tags, db)));\n"
     "```\n\n两个互不相关的查询同时进行，页面更快。\n",
     {"异步", "编程"},
     {"写得很清楚，谢谢！", "协程和线程有什么区别？"}},
    {1,
     "搜索两个汉字",
     "中文没有空格，所以搜索引擎要自己切词。这个博客把每两个相邻的字放进索引，搜索「数据」或「缓存"
     "」"
     "都能找到文章。\n\n> 简单的办法往往够用。\n\n短的查询也能命中，因为单个字也在索引里。\n",
     {"搜索", "数据库"},
     {"数据库不用插件也可以，很好。", NULL}},
    {1,
     "为什么用 C 写网站",
     "因为快，也因为简单：一个程序，一个文件，没有运行时。内存属于请求，请求结束就一起归还。\n\n"
     "1. 声明一次模型\n2. 写一个处理函数\n3. 编译器检查其余部分\n",
     {"c", "编程"},
     {"内存安全怎么办？", NULL}},
    {2,
     "비동기 프로그래밍 시작하기",
     "데이터베이스를 기다리는 동안 다른 일을 할 수 있다면 서버는 훨씬 빨라집니다. 비동기 코드는 "
     "기다림을 *숨기지 않고* 타입으로 보여 줍니다.\n\n## 작업과 그룹\n\n모든 작업에는 주인이 "
     "있습니다. 그룹이 끝나면 그 안의 작업도 모두 끝납니다.\n",
     {"async", "한국어"},
     {"좋은 글 감사합니다.", NULL}},
    {2,
     "한글 검색은 두 글자부터",
     "'검색'처럼 두 글자만 입력해도 글을 찾을 수 있습니다. 음절을 둘씩 묶어서 색인에 넣기 "
     "때문입니다.\n\n- 띄어쓰기가 달라도 찾습니다\n- 조사가 붙어도 찾습니다\n",
     {"검색", "한국어"},
     {"정말 잘 되네요!", "일본어도 되나요?"}},
    {2,
     "트랜잭션은 짧게",
     "트랜잭션 안에서 오래 기다리면 다른 사람도 기다립니다. 계산은 밖에서, 쓰기는 안에서 "
     "하세요.\n\n"
     "```c\nwith_tx(tx, db) {\n    await(bide_insert(tx, post, &p));\n}\n```\n",
     {"데이터베이스", "c"},
     {"짧고 좋습니다.", NULL}},
};
enum { SAMPLES = sizeof samples / sizeof *samples };

/* Accounts that write; nobody can log in with such a password. */
static async(void) add_authors(bide_db *db, int64_t *ret_ids)
{
    for (int i = 0; i < AUTHORS; i++) {
        user u = {.username = authors[i],
                  .email = bide_arena_printf(bide_task_arena(), "%s@demo.example", authors[i]),
                  .password = {"none"},
                  .about = "Writes the demo posts.",
                  .role_id = ROLE_MEMBER};
        if (!await(bide_insert_new(db, user, &u, username)))
            u.id =
                await(bide_scalar(db, i64, "select id from users where username = $1", authors[i]));
        ret_ids[i] = u.id;
    }
    return bide_void;
}

/* Post number `n` of all: a sample as it is, then with a number. */
static post post_number(int64_t n, const int64_t *author_ids, int64_t now)
{
    const sample *s = &samples[n % SAMPLES];
    bide_arena *arena = bide_task_arena();
    const char *slug = slug_of(arena, s->title);
    int64_t age_us = (SAMPLES - n) * 3600 * 1000000; /* an hour between them */
    post p = {.author_id = author_ids[s->author],
              .slug = slug,
              .title = s->title,
              .content = s->content,
              .excerpt = excerpt_of(s->content),
              .status = post_status_published,
              .version = 1,
              .updated_at = now - age_us,
              .published_at = now - age_us};
    if (n >= SAMPLES) {
        p.slug = bide_arena_printf(arena, "%s-%" PRId64, slug, n + 1);
        p.title = bide_arena_printf(arena, "%s, part %" PRId64, s->title, n / SAMPLES + 1);
        p.updated_at = p.published_at = now - 3600LL * 1000000 * SAMPLES - n * 60000000;
    }
    return p;
}

static bide_list(str) tags_of_sample(const sample *s)
{
    bide_list(str) tags = {(const char **)(uintptr_t)s->tags, 0};
    while (tags.count < 3 && s->tags[tags.count])
        tags.count++;
    return tags;
}

/* What hangs on a post waits in the transaction until all of it is inserted at once. */
static void add_rest(bide_tx *tx, const post *p, int64_t n, const int64_t *author_ids)
{
    const sample *s = &samples[n % SAMPLES];
    bide_list(str) tags = tags_of_sample(s);
    for (size_t i = 0; i < tags.count; i++)
        bide_add(tx, post_tag, (&(post_tag){.post_id = p->id, .name = tags.items[i]}));
    word_terms terms = terms_of(p, tags);
    for (size_t i = 0; i < terms.count; i++)
        bide_add(tx, post_term,
                 (&(post_term){.post_id = p->id,
                               .term = terms.items[i].text,
                               .weight = terms.items[i].weight}));
    for (int i = 0; i < 2 && s->comments[i]; i++)
        bide_add(tx, comment,
                 (&(comment){.post_id = p->id,
                             .author_id = author_ids[(s->author + 1 + i) % AUTHORS],
                             .content = s->comments[i]}));
    for (int i = 0; i < AUTHORS; i++)
        if ((n + i) % 3 != 0)
            bide_add(tx, reaction,
                     (&(reaction){.post_id = p->id,
                                  .user_id = author_ids[i],
                                  .kind = (reaction_kind)((n + i) % (reaction_kind_sad + 1))}));
}

async(void) blog_seed(frodo *site, int64_t count)
{
    int64_t ids[AUTHORS], now = bide_now_us();
    await(add_authors(site->db, ids));
    int64_t first = await(bide_scalar(site->db, i64, "select coalesce(max(id), 0) from posts"));
    for (int64_t from = first; from < first + count; from += BATCH) {
        with_arena {
            post posts[BATCH];
            size_t size = 0;
            while (size < BATCH && from + (int64_t)size < first + count) {
                posts[size] = post_number(from + (int64_t)size, ids, now);
                size++;
            }
            with_tx(tx, site->db) {
                await(bide_insert_many(tx, post, posts, size));
                for (size_t i = 0; i < size; i++)
                    add_rest(tx, &posts[i], from + (int64_t)i, ids);
                post_uncache(tx, site, &(post_row){.slug = posts[0].slug});
            }
        }
    }
    return bide_void;
}
