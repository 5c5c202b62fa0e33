/* The library in native.libs/, where tools that repair wheels put it. */
int inner_answer(void) { return 42; }
