// nanobind_extension.cpp: an extension module by nanobind, as its documentation writes one.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace nb = nanobind;

NB_MODULE(nanobind_extension, module)
{
    module.def("process_role", [](std::string_view, std::string_view text, nb::object) {
        std::string html;
        html.reserve(text.size() + 9);
        return html.append("<tt>").append(text).append("</tt>");
    });
    module.def("fail", [](std::string_view, std::string_view, nb::object post) -> std::string {
        throw nb::value_error(("no post " + std::to_string(nb::cast<long>(post.attr("id")))).c_str());
    });
    module.def("call_back", [](long left, nb::callable title) {
        nb::object last;
        for (; left > 0; left--)
            last = title(42);
        return last;
    });
}
