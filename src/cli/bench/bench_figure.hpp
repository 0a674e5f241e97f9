#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "vkgpt/core/dtype.hpp"
#include "vkgpt/plan/dispatch.hpp"

namespace vkgpt::cli {

/// What a device was measured to do at most; 0 = it has no such thing. In GB/s and GFLOP/s.
struct DeviceLimits {
  double copy = 0;        // bytes read and written by a copy of what no cache holds
  double fma_f32 = 0;     // multiply-adds on registers, counted as two operations
  double fma_f16 = 0;     // the same on pairs of f16
  double matrix_f16 = 0;  // cooperative matrices of f16, sums in f32

  /// The most that products of values of `dtype` with sums in f32 can reach. Matrices of bf16 are taken to be
  /// as fast as those of f16.
  double peak(DType dtype) const;
  /// What `peak` is: "fma f32", "matrices f16".
  std::string_view peak_name(DType dtype) const;
};

/// The least time that the limits allow for `cost`, as a share of `seconds` (the roofline model, Williams et
/// al. 2009); 0 where the limits are unknown. Above 1 where a cache holds the data.
double share_of_limit(const plan::Cost& cost, double seconds, DType dtype, const DeviceLimits& limits);

/// One measurement.
struct Figure {
  std::string bench;  // "gemm", "attention", ...
  std::string name;   // "nt f32 768x768x768 simt"
  double milliseconds = 0;
  double rate = 0;
  std::string unit;  // of the rate: "GFLOP/s", "GB/s", "tokens/s"
  double share = 0;  // of the device's limit; 0 = it has none
};

/// A figure in GFLOP/s, or in GB/s, of work that takes `seconds`.
Figure compute_figure(std::string bench, std::string name, const plan::Cost& cost, double seconds,
                      DType dtype, const DeviceLimits& limits);
Figure bandwidth_figure(std::string bench, std::string name, const plan::Cost& cost, double seconds,
                        const DeviceLimits& limits);

/// The figures of one device.
struct DeviceFigures {
  std::string device;
  std::string driver;
  DeviceLimits limits;
  std::vector<Figure> figures;
};

/// "copy 9.1 GB/s, fma f32 80.2 GFLOP/s": those that the device has.
std::string limits_text(const DeviceLimits& limits);

/// A line for each figure.
std::string figure_table(std::span<const Figure> figures);

/// The rates of several devices side by side: a line for each figure that one of them has, in the order in
/// which they first appear, and a column for each device.
std::string comparison_table(std::span<const DeviceFigures> devices);

/// {"device": ..., "driver": ..., "limits": {...}, "figures": [{"bench": ..., "name": ..., "ms": ..., "rate":
/// ..., "unit": ..., "share": null or a number}]}
nlohmann::ordered_json figures_json(const DeviceFigures& device);

}  // namespace vkgpt::cli
