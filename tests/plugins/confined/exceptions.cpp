// Exceptions, threads, thread-locals, streams and a clock in a confined plugin. run(): 0 if all is well.
#include <chrono>
#include <future>
#include <iostream>
#include <map>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

static const std::map<int, std::string> made_by_constructor = {{1, "one"}, {2, "two"}};
static thread_local std::string own = "own";

static int throws(int value)
{
    if (value >= 0) throw std::runtime_error(std::to_string(value));
    return value;
}

extern "C" __attribute__((visibility("default"))) int run()
{
    int sum = 0;
    try {
        throws(41);
    } catch (const std::exception &error) {
        sum += std::stoi(error.what());
    }
    std::vector<std::thread> threads;
    std::vector<int> caught(8);
    for (int i = 0; i < 8; i++)
        threads.emplace_back([&caught, i] {
            try {
                own += "ed";
                throws(i);
            } catch (const std::runtime_error &error) {
                caught[static_cast<size_t>(i)] = std::stoi(error.what());
            }
        });
    for (auto &thread : threads) thread.join();
    for (int each : caught) sum += each;
    auto later = std::async(std::launch::async, [] { return throws(-1); });
    sum += later.get() + static_cast<int>(made_by_constructor.size());
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::cout << "a line" << std::endl;
    return sum - (41 + 28 - 1 + 2);
}
