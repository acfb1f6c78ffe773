// tvm.cpp: the plugin of system tvm-ffi. Built by build_tvm.py against the headers of the PyPI package.
#include <tvm/ffi/tvm_ffi.h>

#include <string>

namespace {

tvm::ffi::String process_role(tvm::ffi::String role, tvm::ffi::String text, int64_t id, tvm::ffi::String author)
{
    (void)author;
    if (role == "fail")
        TVM_FFI_THROW(ValueError) << "no post " << id;
    std::string html;
    html.reserve(text.size() + 9);
    html.append("<tt>").append(text.data(), text.size()).append("</tt>");
    return tvm::ffi::String(std::move(html));
}

tvm::ffi::String call_back(int64_t count, tvm::ffi::Function title)
{
    tvm::ffi::String last;
    for (; count > 0; --count)
        last = title(int64_t{42}).cast<tvm::ffi::String>();
    return last;
}

} // namespace

TVM_FFI_DLL_EXPORT_TYPED_FUNC(process_role, process_role)
TVM_FFI_DLL_EXPORT_TYPED_FUNC(call_back, call_back)
