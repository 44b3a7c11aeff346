/*
 * Files: whole and in pieces, without stopping the loop.
 *
 * bide_file_write replaces a file whole or not at all; bide_file_read reads one into a buffer that
 * has a bound; pieces are read and written where they are.
 */
#include <bide/bide.h>

#include <stdio.h>

static async(void) app(void)
{
    bide_buf text;
    const char *folder = "bide-example-files";
    const char *path = "bide-example-files/poem.txt";
    bide_buf_init(&text, 1 << 16);
    await(bide_folder_make(folder, 0755));
    await(bide_file_write(path, "The road goes ever on", 21, 0));
    with(bide_opened_file, file, path, BIDE_FILE_READ | BIDE_FILE_WRITE, 0) {
        await(bide_file_write_at(file, " and on", 7, 21));
        printf("%lld bytes\n", (long long)await(bide_file_size(file)));
    }
    await(bide_file_read(path, &text));
    printf("%s\n", bide_buf_str(&text));
    bide_buf_done(&text);

    bide_folder all = await(bide_folder_list(folder));
    for (size_t i = 0; i < all.count; i++)
        printf("%s\n", all.entries[i].name);
    await(bide_path_remove(path));
    await(bide_path_remove(folder));
    return bide_void;
}

int main(void)
{
    return bide_run(app);
}
