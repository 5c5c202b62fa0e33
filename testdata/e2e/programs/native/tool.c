/* An executable in .data/scripts, as wheels of compiled programs have one. */
#include <stdio.h>
#include <string.h>

int main(int count, char **arguments) {
    const char *name = strrchr(arguments[0], '/');
    printf("native %s", name ? name + 1 : arguments[0]);
    for (int each = 1; each < count; each++) printf(" %s", arguments[each]);
    printf("\n");
    return 7;
}
