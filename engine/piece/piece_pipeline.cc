#include "engine/piece/piece_pipeline.h"

#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/task_arena.h>

#include <deque>

#include "engine/piece/piece_stages.h"

namespace piecework::engine {
namespace {

namespace flow = tbb::flow;

// A run and the operation that stores it.
struct Token {
  Run run;
  io::Operation write;
  std::function<void()> written;
};

using AsyncNode = flow::async_node<Token*, Token*>;
using RecyclingNode = flow::multifunction_node<Token*, std::tuple<Token*>>;

// The wiring. Lives inside the arena for one piece.
class PieceGraph {
 public:
  PieceGraph(PieceStages& stages, std::deque<Token>& tokens, io::Backend& backend)
      : stages_(stages), tokens_(tokens), backend_(backend) {
    flow::make_edge(flow::output_port<0>(source_), read_);
    flow::make_edge(read_, digest_);
    flow::make_edge(digest_, fill_order_);
    flow::make_edge(fill_order_, fill_);
    flow::make_edge(fill_, hash_);
    flow::make_edge(hash_, write_);
    flow::make_edge(write_, commit_order_);
    flow::make_edge(commit_order_, commit_);
    flow::make_edge(flow::output_port<0>(commit_), source_);
  }

  void run() {
    for (Token& token : tokens_) source_.try_put(&token);
    graph_.wait_for_all();
  }

 private:
  void submit_write(Token* token, AsyncNode::gateway_type& gateway) {
    gateway.reserve_wait();
    token->written = [token, &gateway] {
      if (!token->write.result.ok()) {
        token->run.status =
            tl::unexpected<Error>(io::operation_error(token->write, ErrorSide::kDestination, "the CAR"));
      }
      gateway.try_put(token);
      gateway.release_wait();
    };
    token->write.request = stages_.write_request(token->run);
    token->write.user = token;
    token->write.complete = [](io::Operation& operation) { static_cast<Token*>(operation.user)->written(); };
    backend_.submit(token->write);
  }

  PieceStages& stages_;
  std::deque<Token>& tokens_;
  io::Backend& backend_;
  flow::graph graph_;

  RecyclingNode source_{graph_, flow::serial, [this](Token* token, RecyclingNode::output_ports_type& ports) {
                          if (stages_.source(token->run)) std::get<0>(ports).try_put(token);
                        }};
  AsyncNode read_{graph_, flow::unlimited, [this](Token* token, AsyncNode::gateway_type& gateway) {
                    gateway.reserve_wait();
                    stages_.read(token->run, [token, &gateway] {
                      gateway.try_put(token);
                      gateway.release_wait();
                    });
                  }};
  flow::function_node<Token*, Token*> digest_{graph_, flow::unlimited, [this](Token* token) {
                                                stages_.digest(token->run);
                                                return token;
                                              }};
  flow::sequencer_node<Token*> fill_order_{graph_, [](Token* token) { return token->run.sequence; }};
  flow::function_node<Token*, Token*> fill_{graph_, flow::serial, [this](Token* token) {
                                              stages_.fill(token->run);
                                              return token;
                                            }};
  flow::function_node<Token*, Token*> hash_{graph_, flow::unlimited, [this](Token* token) {
                                              stages_.hash(token->run);
                                              return token;
                                            }};
  AsyncNode write_{graph_, flow::unlimited, [this](Token* token, AsyncNode::gateway_type& gateway) {
                     if (stages_.wants_write(token->run)) return submit_write(token, gateway);
                     gateway.try_put(token);
                   }};
  flow::sequencer_node<Token*> commit_order_{graph_, [](Token* token) { return token->run.sequence; }};
  RecyclingNode commit_{graph_, flow::serial, [this](Token* token, RecyclingNode::output_ports_type& ports) {
                          stages_.commit(token->run);
                          std::get<0>(ports).try_put(token);
                        }};
};

}  // namespace

Result<PieceOutcome> run_piece(BatchReader records, ClassStore classes, const PieceInputs& inputs) {
  const PipelineLimits& limits = inputs.limits;
  PIECEWORK_CHECK(limits.slot_bytes > RunBuilder::kSectionBytesMax && limits.slot_count > 0);
  PieceStages stages(std::move(records), std::move(classes), inputs);
  if (inputs.resume != nullptr) {
    PIECEWORK_TRY(stages.restore(*inputs.resume));
    if (inputs.resume->is_complete) return stages.finish();
  }
  PIECEWORK_ASSIGN(const std::unique_ptr<io::SlotPool> pool,
                   io::SlotPool::create({.slot_count = limits.slot_count, .slot_size_bytes = limits.slot_bytes}));
  std::deque<Token> tokens(limits.slot_count);
  for (Token& token : tokens) token.run.slot = *pool->try_acquire();
  tbb::task_arena arena(static_cast<int>(limits.thread_count));
  arena.execute([&] {
    PieceGraph graph(stages, tokens, inputs.backend);
    graph.run();
  });
  for (Token& token : tokens) pool->release(token.run.slot.index);
  return stages.finish();
}

}  // namespace piecework::engine
