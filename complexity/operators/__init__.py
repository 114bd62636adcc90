"""The operators: the index page. One family a file; a family is loaded when a model needs one of its operators."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from .rule import Operator

__all__ = ["FAMILIES", "KNOWN_VERSIONS", "OLDEST", "family", "find"]

# Operators by the file that holds their rules; `domain:Name` outside ai.onnx.
FAMILIES: dict[str, str] = {
    "activation": (
        "Celu Dropout Elu Gelu HardSigmoid HardSwish LeakyRelu Mish PRelu Relu Selu Shrink Sigmoid Softplus Softsign "
        "SwiGLU Swish Tanh ThresholdedRelu"
    ),
    "attention": "Attention ai.onnx.preview:FlexAttention",
    "casting": "BitCast Cast CastLike Identity",
    "channels_last": (
        "qonnx.custom_op.channels_last:AveragePool qonnx.custom_op.channels_last:BatchNormalization "
        "qonnx.custom_op.channels_last:GlobalAveragePool qonnx.custom_op.channels_last:GlobalMaxPool "
        "qonnx.custom_op.channels_last:MaxPool"
    ),
    "comparison": (
        "And BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Equal Greater GreaterOrEqual IsInf IsNaN Less "
        "LessOrEqual Not Or Xor"
    ),
    "constants": "Constant ConstantOfShape EyeLike NonZero OneHot Range Shape Size com.microsoft:Range",
    "convolution": (
        "CausalConvWithState Conv ConvInteger QLinearConv com.microsoft:CausalConvWithState com.microsoft:FusedConv "
        "com.microsoft:NhwcConv com.microsoft:NhwcFusedConv com.microsoft:QLinearConv "
        "qonnx.custom_op.channels_last:Conv"
    ),
    "convolution_deformable": "DeformConv",
    "convolution_transposed": "ConvTranspose com.microsoft:ConvTransposeWithDynamicPads",
    "einsum": "Einsum",
    "elementwise": (
        "Abs Acos Acosh Add Asin Asinh Atan Atanh Ceil Clip Cos Cosh CumProd CumSum Div Erf Exp Floor Log Max Mean "
        "Min Mod Mul Neg Pow Reciprocal Round Sign Sin Sinh Sqrt Sub Sum Tan Where"
    ),
    "feature_encoding": (
        "ai.onnx.ml:ArrayFeatureExtractor ai.onnx.ml:Binarizer ai.onnx.ml:CastMap ai.onnx.ml:CategoryMapper "
        "ai.onnx.ml:DictVectorizer ai.onnx.ml:FeatureVectorizer ai.onnx.ml:Imputer ai.onnx.ml:LabelEncoder "
        "ai.onnx.ml:OneHotEncoder ai.onnx.ml:ZipMap"
    ),
    "folding": "Col2Im",
    "fused_attention": (
        "com.microsoft:Attention com.microsoft:DecoderMaskedSelfAttention com.microsoft:PackedAttention "
        "com.microsoft:QAttention"
    ),
    "gathering": (
        "Gather GatherElements GatherND ReverseSequence TensorScatter Trilu com.microsoft:GatherBlockQuantized "
        "com.microsoft:GatherND com.microsoft:Trilu"
    ),
    "group_query_attention": "com.microsoft:GroupQueryAttention",
    "interpolation": "AffineGrid GridSample Resize Upsample",
    "linear": (
        "Gemm MatMul com.microsoft:FusedGemm com.microsoft:FusedMatMul com.microsoft:FusedMatMulActivation "
        "com.microsoft:GemmFastGelu com.microsoft:GemmFloat8 com.microsoft:TransposeMatMul"
    ),
    "linear_attention": "LinearAttention com.microsoft:LinearAttention",
    "linear_quantized": (
        "MatMulInteger QLinearMatMul com.microsoft:DynamicQuantizeMatMul com.microsoft:MatMulBnb4 "
        "com.microsoft:MatMulFpQ4 com.microsoft:MatMulInteger16 com.microsoft:MatMulIntegerToFloat "
        "com.microsoft:MatMulNBits com.microsoft:QGemm"
    ),
    "loss": "NegativeLogLikelihoodLoss SoftmaxCrossEntropyLoss",
    "machine_learning": (
        "ai.onnx.ml:LinearClassifier ai.onnx.ml:LinearRegressor ai.onnx.ml:Normalizer ai.onnx.ml:Scaler"
    ),
    "multi_head_attention": (
        "com.microsoft:DecoderMaskedMultiHeadAttention com.microsoft:MultiHeadAttention "
        "com.microsoft:PackedMultiHeadAttention"
    ),
    "normalization": (
        "BatchNormalization GroupNormalization InstanceNormalization LRN LayerNormalization LpNormalization "
        "MeanVarianceNormalization RMSNormalization"
    ),
    "optimizer": (
        "ai.onnx.preview.training:Adagrad ai.onnx.preview.training:Adam ai.onnx.preview.training:Gradient "
        "ai.onnx.preview.training:Momentum"
    ),
    "pooling": (
        "AveragePool GlobalAveragePool GlobalLpPool GlobalMaxPool LpPool MaxPool MaxRoiPool MaxUnpool RoiAlign"
    ),
    "qonnx": (
        "Quant finn.custom_op.general:BipolarQuant finn.custom_op.general:FloatQuant finn.custom_op.general:IntQuant "
        "finn.custom_op.general:MultiThreshold finn.custom_op.general:Quant finn.custom_op.general:QuantAvgPool2d "
        "finn.custom_op.general:Trunc onnx.brevitas:BipolarQuant onnx.brevitas:FloatQuant onnx.brevitas:IntQuant "
        "onnx.brevitas:MultiThreshold onnx.brevitas:Quant onnx.brevitas:QuantAvgPool2d onnx.brevitas:Trunc "
        "qonnx.custom_op.channels_last:BipolarQuant qonnx.custom_op.channels_last:FloatQuant "
        "qonnx.custom_op.channels_last:IntQuant qonnx.custom_op.channels_last:MultiThreshold "
        "qonnx.custom_op.channels_last:Quant qonnx.custom_op.channels_last:QuantAvgPool2d "
        "qonnx.custom_op.channels_last:Trunc qonnx.custom_op.general:BipolarQuant qonnx.custom_op.general:FloatQuant "
        "qonnx.custom_op.general:IntQuant qonnx.custom_op.general:MultiThreshold qonnx.custom_op.general:Quant "
        "qonnx.custom_op.general:QuantAvgPool2d qonnx.custom_op.general:Trunc"
    ),
    "quantized": (
        "com.microsoft:QLinearAdd com.microsoft:QLinearAveragePool com.microsoft:QLinearConcat "
        "com.microsoft:QLinearGlobalAveragePool com.microsoft:QLinearLeakyRelu com.microsoft:QLinearMul "
        "com.microsoft:QLinearReduceMean com.microsoft:QLinearSigmoid com.microsoft:QLinearSoftmax "
        "com.microsoft:QLinearWhere"
    ),
    "quantized_lstm": (
        "finn.custom_op.general:QuantLSTMCell onnx.brevitas:QuantLSTMCell qonnx.custom_op.general:QuantLSTMCell"
    ),
    "quantizers": (
        "DequantizeLinear DynamicQuantizeLinear QuantizeLinear com.microsoft:DequantizeLinear "
        "com.microsoft:QuantizeLinear"
    ),
    "random": "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike",
    "recurrent": "GRU LSTM RNN com.microsoft:DynamicQuantizeLSTM",
    "reduction": (
        "ArgMax ArgMin Det ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd "
        "ReduceSum ReduceSumSquare TopK"
    ),
    "repeating": "CenterCropPad Concat Expand Pad Tile com.microsoft:Pad",
    "reshaping": ("DepthToSpace Flatten Reshape SpaceToDepth Squeeze Transpose Unsqueeze com.microsoft:ExpandDims"),
    "rotary_embedding": "RotaryEmbedding com.microsoft:MRotaryEmbedding com.microsoft:RotaryEmbedding",
    "scattering": "Scatter ScatterElements ScatterND",
    "selection": "ImageDecoder NonMaxSuppression Unique com.microsoft:Unique",
    "sequence": (
        "ConcatFromSequence Optional OptionalGetElement OptionalHasElement SequenceAt SequenceConstruct SequenceEmpty "
        "SequenceErase SequenceInsert SequenceLength SplitToSequence"
    ),
    "skip_normalization": (
        "SimplifiedLayerNormalization com.microsoft:EmbedLayerNormalization com.microsoft:GroupNorm "
        "com.microsoft:QEmbedLayerNormalization com.microsoft:SkipGroupNorm com.microsoft:SkipLayerNormalization "
        "com.microsoft:SkipSimplifiedLayerNormalization"
    ),
    "slicing": "Compress Slice Split",
    "softmax": "Hardmax LogSoftmax Softmax",
    "support_vectors": "ai.onnx.ml:SVMClassifier ai.onnx.ml:SVMRegressor",
    "text": ("RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer com.microsoft:Tokenizer"),
    "transform": (
        "BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT com.microsoft:Irfft com.microsoft:Rfft"
    ),
    "transformer": (
        "com.microsoft:BiasAdd com.microsoft:BiasGelu com.microsoft:BiasSoftmax com.microsoft:BiasSplitGelu "
        "com.microsoft:FastGelu com.microsoft:GatedRelativePositionBias com.microsoft:Gelu "
        "com.microsoft:GemmaRotaryEmbedding com.microsoft:QuickGelu com.microsoft:RelativePositionBias "
        "com.microsoft:RemovePadding com.microsoft:RestorePadding"
    ),
    "tree_ensemble": ("ai.onnx.ml:TreeEnsemble ai.onnx.ml:TreeEnsembleClassifier ai.onnx.ml:TreeEnsembleRegressor"),
}

# The newest version of each versioned domain whose definitions the rules were written against.
KNOWN_VERSIONS = {"": 28, "ai.onnx.ml": 5, "ai.onnx.preview": 1, "ai.onnx.preview.training": 1}
OLDEST = 7
_HOMES = {(d, n): home for home, names in FAMILIES.items() for d, _, n in (w.rpartition(":") for w in names.split())}


@cache
def family(home: str) -> tuple[Operator, ...]:
    """The operators of one file."""
    operators: tuple[Operator, ...] = import_module(f".{home}", __name__).OPERATORS
    return operators


@cache
def find(domain: str, name: str) -> Operator | None:
    """The rule of an operator, None if there is none in exactly this domain."""
    home = _HOMES.get((domain, name))
    if home is None:
        return None
    return next(operator for operator in family(home) if (operator.domain, operator.name) == (domain, name))
