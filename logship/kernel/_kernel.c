/* The core as a Python module, for kernel/native.py alone: load() a program, run() it over lines.

   The limited API of 3.11: one module serves every later Python. */
#define PY_SSIZE_T_CLEAN
#ifndef Py_LIMITED_API
#define Py_LIMITED_API 0x030b0000
#endif
#include <Python.h>
#include <stdbool.h>

#include "core.h"

#define PROGRAM "logship.kernel.program"
#define MOST_USUAL ((size_t)2 << 20) /* bytes of text that a chunk is thought to need before it is known */

typedef struct {
    ls_program *program;
    PyObject *call; /* (function, first, second or None) -> bytes | int | None */
    bool is_running;
} loaded;

typedef struct {
    loaded *of;
    PyObject *answer; /* what the last call gave; its text is in use until the next one */
    PyObject *text;   /* the events, as they are written */
} calling;

static ls_output kept_output; /* the memory of a chunk's lists, used again by the next one */
static size_t usual_room;     /* of the last chunk's text */
static bool is_output_used;

static ls_answer call_python(void *context, unsigned function, ls_bytes first, const ls_bytes *second)
{
    calling *now = context;
    ls_answer answer = {.kind = LS_FAILED};
    Py_CLEAR(now->answer);
    const char *other = second ? (const char *)second->at : NULL; /* NULL becomes None */
    now->answer = PyObject_CallFunction(now->of->call, "Iy#y#", function, (const char *)first.at, (Py_ssize_t)first.length,
                                        other, second ? (Py_ssize_t)second->length : 0);
    if (!now->answer) return answer;
    if (now->answer == Py_None) {
        answer.kind = LS_NOTHING;
    } else if (PyBytes_Check(now->answer)) {
        answer.kind = LS_TEXT;
        answer.text = (ls_bytes){(const uint8_t *)PyBytes_AsString(now->answer), (size_t)PyBytes_Size(now->answer)};
    } else {
        answer.number = PyLong_AsLongLong(now->answer);
        answer.kind = answer.number == -1 && PyErr_Occurred() ? LS_FAILED : LS_NUMBER;
    }
    return answer;
}

static uint8_t *grow_text(void *context, size_t room)
{
    calling *now = context;
    if (!now->text) now->text = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)room);
    else if (PyByteArray_Resize(now->text, (Py_ssize_t)room) < 0) return NULL;
    return now->text ? (uint8_t *)PyByteArray_AsString(now->text) : NULL;
}

static void forget(PyObject *capsule)
{
    loaded *one = PyCapsule_GetPointer(capsule, PROGRAM);
    if (!one) return;
    ls_free(one->program);
    Py_XDECREF(one->call);
    PyMem_Free(one);
}

static PyObject *load(PyObject *module, PyObject *arguments)
{
    Py_buffer blob;
    PyObject *call;
    unsigned long long seed;
    const char *wrong = NULL;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*OK", &blob, &call, &seed)) return NULL;
    ls_program *program = ls_load(blob.buf, (size_t)blob.len, seed, &wrong);
    PyBuffer_Release(&blob);
    if (!program) return PyErr_Format(PyExc_ValueError, "kernel: %s", wrong);
    loaded *one = PyMem_Calloc(1, sizeof *one);
    if (!one) return ls_free(program), PyErr_NoMemory();
    *one = (loaded){program, Py_NewRef(call), false};
    PyObject *capsule = PyCapsule_New(one, PROGRAM, forget);
    if (!capsule) ls_free(program), Py_DECREF(call), PyMem_Free(one);
    return capsule;
}

static PyObject *result_of(PyObject *text, const ls_output *out, size_t counters)
{
    usual_room = out->length < MOST_USUAL ? out->length + out->length / 8 : MOST_USUAL;
    if (PyByteArray_Resize(text, (Py_ssize_t)out->length) < 0) return NULL;
    return Py_BuildValue(
        "Oy#y#y#y#y#", text,
        (const char *)out->ends, (Py_ssize_t)(out->events * sizeof *out->ends),
        (const char *)out->lines, (Py_ssize_t)(out->events * sizeof *out->lines),
        (const char *)out->starts, (Py_ssize_t)((out->count + 1) * sizeof *out->starts),
        (const char *)out->left, (Py_ssize_t)(out->lefts * sizeof *out->left),
        (const char *)out->counts, (Py_ssize_t)(counters * sizeof *out->counts));
}

static PyObject *run_loaded(loaded *one, ls_input *input)
{
    calling now = {one, NULL, NULL};
    ls_output own = {0}, *output = is_output_used ? &own : &kept_output;
    bool is_kept = output == &kept_output;
    PyObject *result = NULL;
    input->call = call_python, input->grow = grow_text, input->context = &now;
    output->text_room = usual_room > 1024 ? usual_room : 1024;
    output->text = grow_text(&now, output->text_room);
    if (!output->text) return NULL;
    one->is_running = true, is_output_used = true;
    switch (ls_run(one->program, input, output)) {
    case LS_FINE: result = result_of(now.text, output, ls_counters(one->program)); break;
    case LS_NO_MEMORY: PyErr_NoMemory(); break;
    case LS_CALL_FAILED: break; /* its exception is set */
    case LS_WRONG_INPUT: PyErr_SetString(PyExc_ValueError, "kernel: starts and crcs are of other lines, or a label is no UTF-8");
    }
    one->is_running = false;
    output->text = NULL, output->text_room = 0;
    Py_CLEAR(now.answer);
    Py_CLEAR(now.text);
    if (!is_kept) ls_release(output);
    if (is_kept) is_output_used = false;
    return result;
}

/* Whether the buffers that say where lines are fit each other. */
static bool take_marks(ls_input *input, const Py_buffer *starts, const Py_buffer *crcs)
{
    if (!starts->buf) return !crcs->buf;
    input->starts = starts->buf, input->crcs = crcs->buf;
    input->given = (size_t)starts->len / sizeof *input->starts - 1;
    return crcs->buf && (size_t)starts->len == (input->given + 1) * sizeof *input->starts && starts->len &&
           (size_t)crcs->len == input->given * sizeof *input->crcs;
}

static PyObject *run(PyObject *module, PyObject *arguments)
{
    Py_buffer data, origin, path, starts, crcs;
    PyObject *capsule, *result = NULL;
    unsigned long long start;
    long long oldest, since, until;
    const char *digits;
    Py_ssize_t digits_length;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "Oy*Ky#y*y*LLLz*z*", &capsule, &data, &start, &digits, &digits_length, &origin, &path,
                          &oldest, &since, &until, &starts, &crcs))
        return NULL;
    loaded *one = PyCapsule_GetPointer(capsule, PROGRAM);
    ls_input input = {
        .data = {data.buf, (size_t)data.len}, .start = start, .digits = digits, .oldest = oldest, .since = since,
        .until = until, .origin = {origin.buf, (size_t)origin.len}, .path = {path.buf, (size_t)path.len},
    };
    bool is_whole = !data.len || ((const char *)data.buf)[data.len - 1] == '\n';
    if (one && (digits_length != LS_DIGITS || !is_whole || !take_marks(&input, &starts, &crcs)))
        PyErr_SetString(PyExc_ValueError, "kernel: digits, starts or crcs have a wrong length, or the last line has no end");
    else if (one)
        result = one->is_running ? Py_NewRef(Py_None) : run_loaded(one, &input);
    Py_buffer *all[] = {&data, &origin, &path, &starts, &crcs};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) PyBuffer_Release(all[i]);
    return result;
}

static PyMethodDef methods[] = {
    {"load", load, METH_VARARGS,
     "load(blob, call, seed): a program as run() takes it; call(function, first, second | None) gives bytes, int or None.\n\n"
     "Raises: ValueError for a blob that is no program."},
    {"run", run, METH_VARARGS,
     "run(program, data, start, digits, origin, path, oldest, since, until, starts, crcs)\n\n"
     "(text, ends, lines, starts, left, counts) as a bytearray and bytes; None while another thread runs the same program.\n"
     "Raises: what call raised."},
    {NULL, NULL, 0, NULL},
};

static int prepare_module(PyObject *module) { return PyModule_AddIntConstant(module, "VERSION", LS_VERSION); }

static PyModuleDef_Slot slots[] = {{Py_mod_exec, prepare_module}, {0, NULL}};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_kernel", NULL, 0, methods, slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__kernel(void) { return PyModuleDef_Init(&definition); }
