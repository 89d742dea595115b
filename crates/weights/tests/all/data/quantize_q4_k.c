// Quantises a file of f32 values to Q4_K with ggml's reference quantiser, for make_blocks.py.
// In ggml/src of llama.cpp (the golden file was made with the tree in llama-cpp-python 0.3.36):
//   gcc -O2 -ffp-contract=off -I. -I../include -o quantize_q4_k .../quantize_q4_k.c ggml-quants.c -lm
#include <stdio.h>
#include <stdlib.h>

#include "ggml-quants.h"

// What ggml-quants.c wants from the rest of ggml, for functions that are not used here.
void ggml_abort(const char *file, int line, const char *format, ...) { abort(); }
size_t ggml_type_size(enum ggml_type type) { abort(); }
size_t ggml_row_size(enum ggml_type type, int64_t ne) { abort(); }
const char *ggml_type_name(enum ggml_type type) { abort(); }

int main(int argc, char **argv) {
    FILE *in = argc == 3 ? fopen(argv[1], "rb") : NULL;
    FILE *out = argc == 3 ? fopen(argv[2], "wb") : NULL;
    if (!in || !out) return 1;
    float x[QK_K];
    block_q4_K block;
    while (fread(x, sizeof x, 1, in) == 1) {
        quantize_row_q4_K_ref(x, &block, QK_K);
        if (fwrite(&block, sizeof block, 1, out) != 1) return 1;
    }
    return fclose(out) != 0;
}
