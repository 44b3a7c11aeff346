/*
 * What the parsers of this folder say: how far they got, and what was wrong. Called by all of them
 * and by whoever feeds them.
 */
#ifndef BIDE_HTTP_HTTP_H
#define BIDE_HTTP_HTTP_H

/* The answer of a parser that is fed piece by piece. */
enum bide__http_result {
    BIDE__HTTP_BAD = -1,     /* refused for good: the parser's refusal says why */
    BIDE__HTTP_MORE = 0,     /* so far so good; call again with more bytes */
    BIDE__HTTP_DONE = 1,     /* the end, exactly; bytes behind it are untouched */
    BIDE__HTTP_DATA = 2,     /* a slice of payload; call again with what is left of the bytes */
    BIDE__HTTP_PART = 3,     /* multipart: a part begins */
    BIDE__HTTP_PART_END = 4, /* multipart: the part that began last is over */
};

/* Why a message is refused. After a refusal nobody knows where the next message would begin: the
 * connection is closed (RFC 9112 2.2, 6.3). */
struct bide__http_refusal {
    int status;       /* of the answer; for a parsed response it only tells that it is bad */
    const char *text; /* constant, lower case: what was wrong */
};

#endif
