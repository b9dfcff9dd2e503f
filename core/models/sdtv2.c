/* SDTv2 / Meta-SpikeFormer (Yao et al., ICLR 2024). tests/reference/sdtv2.py is the same network in
 * PyTorch, statement by statement.
 *
 * Any width, depth, input size and class count, with or without the distillation head: widths and
 * depths are read from the tensors; heads and time steps are options, because no checkpoint holds
 * them.
 */
#include "core/models/models.h"

#include <stdio.h>

static const float v_th = 1, v_th_attention = 0.5f, tau = 2, attention_scale = 0.125f;
static const struct qsv_conv pointwise = {1, 1, 0, false, false};
static const struct qsv_conv conv3x3 = {3, 1, 1, false, false};

enum { NAME = 64, MAX_DEPTH = 1000 };

static bool recognise(const struct qsv_tensors *t)
{
    return qsv_tensors_find(t, "downsample1_1.encode_conv.weight") &&
           qsv_tensors_find(t, "ConvBlock1_1.0.Conv.pwconv1.weight") &&
           qsv_tensors_find(t, "head.weight");
}

static uint32_t downsample(struct qsv_builder *b, uint32_t x, const char *name,
                           struct qsv_conv conv, bool first)
{
    qsv_build_block(b, "%s", name);
    if (!first)
        x = qsv_build_lif(b, x, v_th, tau, "%s.encode_lif", name);
    x = qsv_build_conv(b, x, conv, "%s.encode_conv", name);
    return qsv_build_norm(b, x, "%s.encode_bn", name);
}

static uint32_t separable_conv(struct qsv_builder *b, uint32_t x, const char *name)
{
    const struct qsv_conv depthwise = {7, 1, 3, true, false};
    x = qsv_build_lif(b, x, v_th, tau, "%s.lif1", name);
    x = qsv_build_conv(b, x, pointwise, "%s.pwconv1", name);
    x = qsv_build_norm(b, x, "%s.bn1", name);
    x = qsv_build_lif(b, x, v_th, tau, "%s.lif2", name);
    x = qsv_build_conv(b, x, depthwise, "%s.dwconv", name);
    x = qsv_build_conv(b, x, pointwise, "%s.pwconv2", name);
    return qsv_build_norm(b, x, "%s.bn2", name);
}

static uint32_t conv_block(struct qsv_builder *b, uint32_t x, const char *name)
{
    char conv[NAME + 8];
    snprintf(conv, sizeof conv, "%s.Conv", name);
    qsv_build_block(b, "%s", name);
    x = qsv_build_add(b, separable_conv(b, x, conv), x);
    uint32_t y = qsv_build_lif(b, x, v_th, tau, "%s.lif1", name);
    y = qsv_build_conv(b, y, conv3x3, "%s.conv1", name);
    y = qsv_build_norm(b, y, "%s.bn1", name);
    y = qsv_build_lif(b, y, v_th, tau, "%s.lif2", name);
    y = qsv_build_conv(b, y, conv3x3, "%s.conv2", name);
    y = qsv_build_norm(b, y, "%s.bn2", name);
    return qsv_build_add(b, x, y);
}

static uint32_t conv_blocks(struct qsv_builder *b, uint32_t x, const char *list)
{
    for (uint32_t i = 0; i < MAX_DEPTH; i++) {
        if (i && !qsv_build_has(b, "%s.%u.Conv.pwconv1.weight", list, i))
            break;
        char name[NAME];
        snprintf(name, sizeof name, "%s.%u", list, i);
        x = conv_block(b, x, name);
    }
    return x;
}

/* 1x1, norm whose BN(0) pads, depthwise 3x3, 1x1, norm, norm: linear from end to end. */
static uint32_t rep_conv(struct qsv_builder *b, uint32_t x, const char *name)
{
    const struct qsv_conv depthwise = {3, 1, 1, true, true};
    x = qsv_build_conv(b, x, pointwise, "%s.0.body.0", name);
    x = qsv_build_norm(b, x, "%s.0.body.1.bn", name);
    x = qsv_build_conv(b, x, depthwise, "%s.0.body.2.0", name);
    x = qsv_build_conv(b, x, pointwise, "%s.0.body.2.1", name);
    x = qsv_build_norm(b, x, "%s.0.body.2.2", name);
    return qsv_build_norm(b, x, "%s.1", name);
}

static uint32_t attention(struct qsv_builder *b, uint32_t x, const char *name, uint32_t heads)
{
    uint32_t qkv[3];
    uint32_t in = qsv_build_lif(b, x, v_th, tau, "%s.head_lif", name);
    for (int i = 0; i < 3; i++) {
        char conv[NAME + 8];
        snprintf(conv, sizeof conv, "%s.%c_conv", name, "qkv"[i]);
        qkv[i] = qsv_build_lif(b, rep_conv(b, in, conv), v_th, tau, "%s.%c_lif", name, "qkv"[i]);
    }
    uint32_t y = qsv_build_attention(b, qkv[0], qkv[1], qkv[2], heads, attention_scale, "%s", name);
    y = qsv_build_lif(b, y, v_th_attention, tau, "%s.attn_lif", name);
    char proj[NAME + 16];
    snprintf(proj, sizeof proj, "%s.proj_conv", name);
    return qsv_build_add(b, x, rep_conv(b, y, proj));
}

static uint32_t mlp(struct qsv_builder *b, uint32_t x, const char *name)
{
    uint32_t y = qsv_build_lif(b, x, v_th, tau, "%s.fc1_lif", name);
    y = qsv_build_conv(b, y, pointwise, "%s.fc1_conv", name);
    y = qsv_build_norm(b, y, "%s.fc1_bn", name);
    y = qsv_build_lif(b, y, v_th, tau, "%s.fc2_lif", name);
    y = qsv_build_conv(b, y, pointwise, "%s.fc2_conv", name);
    y = qsv_build_norm(b, y, "%s.fc2_bn", name);
    return qsv_build_add(b, x, y);
}

static uint32_t transformer_blocks(struct qsv_builder *b, uint32_t x, const char *list,
                                   uint32_t heads)
{
    for (uint32_t i = 0; i < MAX_DEPTH; i++) {
        if (i && !qsv_build_has(b, "%s.%u.mlp.fc1_conv.weight", list, i))
            break;
        char name[NAME];
        snprintf(name, sizeof name, "%s.%u.attn", list, i);
        qsv_build_block(b, "%s", name);
        x = attention(b, x, name, heads);
        snprintf(name, sizeof name, "%s.%u.mlp", list, i);
        qsv_build_block(b, "%s", name);
        x = mlp(b, x, name);
    }
    return x;
}

static void build(struct qsv_builder *b, const struct qsv_model_options *options)
{
    const struct qsv_conv stem = {7, 2, 3, false, false}, half = {3, 2, 1, false, false};
    uint32_t x = qsv_build_input(b, options->input), kd = 0;
    qsv_build_stage(b, "stage1");
    x = downsample(b, x, "downsample1_1", stem, true);
    x = conv_blocks(b, x, "ConvBlock1_1");
    x = downsample(b, x, "downsample1_2", half, false);
    x = conv_blocks(b, x, "ConvBlock1_2");
    qsv_build_stage(b, "stage2");
    x = downsample(b, x, "downsample2", half, false);
    x = conv_blocks(b, x, "ConvBlock2_1");
    x = conv_blocks(b, x, "ConvBlock2_2");
    qsv_build_stage(b, "stage3");
    x = downsample(b, x, "downsample3", half, false);
    x = transformer_blocks(b, x, "block3", options->heads);
    qsv_build_stage(b, "stage4");
    x = downsample(b, x, "downsample4", conv3x3, false);
    x = transformer_blocks(b, x, "block4", options->heads);
    qsv_build_stage(b, "head");
    qsv_build_block(b, "head");
    x = qsv_build_lif(b, qsv_build_pool(b, x), v_th, tau, "lif");
    if (qsv_build_has(b, "head_kd.weight"))
        kd = qsv_build_conv(b, x, pointwise, "head_kd");
    qsv_build_readout(b, qsv_build_conv(b, x, pointwise, "head"), kd);
}

const struct qsv_architecture qsv_sdtv2 = {"sdtv2", recognise, build};
