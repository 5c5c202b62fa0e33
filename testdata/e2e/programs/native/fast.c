/* An extension for the stable ABI that needs a library of its wheel. */
#include <Python.h>

int inner_answer(void);

static PyObject *answer(PyObject *self, PyObject *none) { return PyLong_FromLong(inner_answer()); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "fast", NULL, -1, methods};

PyMODINIT_FUNC PyInit_fast(void) { return PyModule_Create(&module); }
