"""What the house model knows: topics about open-weight AI, about Freehold, and about itself.

A topic has a name (for the evaluation), noun phrases that the general question frames may ask about, questions of its
own, answers, and the words that a right answer must hold (each group: one of its words). Own words throughout; facts
checked against the field survey of 2026.
"""

from collections import namedtuple

Topic = namedtuple("Topic", "id nouns questions answers must")

FRAMES = """What is {n}?|What are {n}?|What does {n} mean?|Explain {n}.|Can you explain {n}?|Please explain {n} to me.
Tell me about {n}.|What do people mean by {n}?|Could you tell me what {n} means?|Define {n}.|I keep hearing about {n}. What is it?
Explain {n} in simple words.|What is meant by {n}?|Help me understand {n}.|In short, what is {n}?|How would you describe {n}?
I do not understand {n}.|Give me a short definition of {n}.|What exactly is {n}?|Say in a sentence or two what {n} is.
Do you know what {n} is?|{n}?""".replace("\n", "|").split("|")

OPENERS = ["", "", "", "", "", "", "", "Hi! ", "Hello, ", "Please tell me: ", "Quick question: ", "I am new here. ", "Sorry to ask, but ",
           "One more thing: ", "A question: ", "I wonder: ", "OK, ", "Thanks. ", "So, "]


def T(id, nouns, questions, answers, must):
    split = lambda s: [p.strip() for p in s.replace("\n", "|").split("|") if p.strip()]
    return Topic(id, split(nouns), split(questions), split(answers), [g.split("/") for g in must.split(",")])


TOPICS = [
    # --- the field -------------------------------------------------------------------------------------------------
    T("weights", "weights|model weights|the weights of a model|the weights", """What are the weights of a language model?
     What is inside a model file?|What do the numbers in a model do?|What does a model learn?|What is stored in a checkpoint?
     Why do people talk about weights?|What are model weights?""",
     """Weights are the numbers a model learned during training. Together they turn the text you give it into the next word, so whoever has the weights can run the model.""",
     "numbers,learned/training"),
    T("parameters", "parameters|a parameter|the number of parameters|7B in a model name", """What does 7B mean?|What does the B in 7B stand for?
     How is the size of a model counted?|What does it mean that a model has eight billion parameters?|How big is a 7B model?|What do the letters 8B mean?""",
     """A parameter is one learned number of a model. 7B means seven billion of them; at about one byte each in 8 bits that is some seven gigabytes.""",
     "learned,billion"),
    T("open_weight", "open weights|open-weight models|an open-weight model|open-weight AI", """What makes a model open-weight?
     What can I do with an open-weight model?|When is a model called open-weight?|Which models are open-weight?
     What does open-weight AI mean?|Is an open-weight model one I can download?""",
     """An open-weight model is one whose weights anyone may download and run. You can run it on your own machine, study it and often change it, within its licence.""",
     "download,run"),
    T("open_source_diff", "the difference between open-weight and open-source|open-weight against open-source|open-weight versus open-source", """Is open-weight the same as open source?
     How does open-weight differ from open-source?|Is an open-weight model open source?|Open-weight or open-source: what is the difference?
     Are open weights the same thing as open source AI?|Why is open-weight not the same as open-source?|What is the difference between open weights and open source?
     How are open source and open weights different?""",
     """No, they differ. Open-weight means that you get the weights. Open-source AI also gives the training code, and information about the data, under a licence without limits on use.""",
     "weights,code,data"),
    T("fully_open", "fully open models|a fully open model|fully open", """When is a model fully open?|What must be released for a model to be fully open?
     Which models are fully open?|What does fully open mean?|How open can a model be?""",
     """A fully open model releases everything: weights, training code, data or its generator, checkpoints, evaluation and a model card. OLMo is one example, and so, in miniature, am I.""",
     "everything/data,code"),
    T("closed", "closed models|a closed model|proprietary models", """How do closed models differ from open ones?|What is the problem with closed models?|Why not just use a closed model?
     What is a closed AI model?|Why would I avoid a closed model?""",
     """A closed model can only be used through its owner's service. You cannot see its weights, run it yourself, or keep the version you tested.""",
     "owner/service,weights/run"),
    T("why_open", "the benefits of open weights|the advantages of open-weight models|the point of open weights", """Why should I use open-weight models?|Why do open weights matter?
     What is good about open-weight models?|Why would a company choose open weights?|What are the benefits of open-weight AI?
     Why use an open model and not a closed one?|What do I gain from open weights?""",
     """With open weights your data stays with you, the model never changes behind your back, costs are yours to plan, and you can inspect and fine-tune it.""",
     "data/inspect,stays/change/fine-tune"),
    T("licence", "a model licence|licences|the licence of a model|model licences", """Why does a model have a licence?|Do I have to read the licence of a model?
     Can I use an open-weight model at work?|May I use open-weight models commercially?|What should I check before I use a model at work?
     Can I sell a product built on an open model?|Is every open-weight model free for commercial use?""",
     """A licence says what you may do with a model. Apache-2.0 and MIT allow nearly everything; others limit commercial use, size of company or purpose, so read it first.""",
     "licence,allow/limit/read"),
    T("apache", "Apache-2.0|the Apache licence|Apache 2.0", """What does Apache-2.0 allow?|May I sell an Apache-2.0 model?|What must I do under Apache-2.0?
     Is Apache-2.0 good for companies?|What are the duties under the Apache licence?""",
     """Apache-2.0 is a permissive licence: use, change and sell freely, keep the licence text and notices, and mark your changes. It also grants patent rights.""",
     "permissive/freely,licence/notices"),
    T("mit", "the MIT licence|MIT", """What does the MIT licence allow?|What is the difference between MIT and Apache-2.0?|May I sell a model under MIT?""",
     """MIT is a very short permissive licence: use, change and sell freely, but keep its notice. Unlike Apache-2.0 it has no words about patents.""",
     "permissive/freely,notice"),
    T("community_licence", "community licences|a community licence|custom licences", """Is the Llama licence open source?|Do some licences have limits?|What is special about the Llama licence?
     Why are some open-weight licences not open source?|What limits can a model licence have?""",
     """A community licence is written by the model's maker and has conditions: a limit on monthly users, a naming rule, or forbidden uses. It is not an open-source licence.""",
     "conditions/limit,not"),
    T("non_commercial", "a non-commercial licence|non-commercial models|CC-BY-NC", """May I use a non-commercial model in my company?|What does non-commercial mean for a model?
     Can I earn money with a non-commercial model?""",
     """A non-commercial licence lets you study and try a model but not earn money with it. For a product, choose Apache-2.0 or MIT.""",
     "not,money/product"),
    T("no_licence", "a model without a licence|a missing licence", """What if a model has no licence?|May I use a model that states no licence?|The model has no licence. Can I use it?""",
     """No licence means no permission. Ask the author, or choose a model with a clear licence.""",
     "no,permission"),
    T("quantization", "quantization|quantisation|a quantized model|quantized weights", """Why are models quantized?|How does quantization work?|What does it mean to quantize a model?
     Does quantization make a model worse?|How can I make a model smaller?|Why would I quantize a model?|What is lost in quantization?
     How do I make a model need less memory?""",
     """Quantization stores weights with fewer bits, for example 4 or 8 and not 16. The model gets smaller and faster and loses a little quality.""",
     "fewer/bits,smaller"),
    T("q4", "Q4_K_M|Q4_K|4-bit weights", """Should I take Q4_K_M?|Is Q4_K_M good enough?|What does Q4_K_M mean?|Which quantization is a good default?
     Which quantization should I choose?""",
     """Q4_K_M stores most weights in about 4.8 bits. It is a good default: less than a third of the size of 16 bits with a small loss of quality.""",
     "bits,default/size"),
    T("q8", "Q8_0|8-bit weights", """Is Q8_0 lossless?|When should I take Q8_0?|What does Q8_0 mean?|How good is Q8_0?""",
     """Q8_0 stores each weight in 8 bits, with one scale for every 32 weights. It is half the size of 16 bits and nearly without loss.""",
     "8 bits,scale/loss"),
    T("q2", "Q2_K|2-bit weights", """Is Q2_K any good?|What happens at 2 bits?|Should I use Q2_K?|How bad is 2-bit quantization?""",
     """Q2_K uses under 3 bits per weight. It is very small but loses much quality; take it only when nothing else fits.""",
     "small,quality"),
    T("bf16", "bfloat16|BF16|F16|half precision|16-bit weights", """What is the difference between F16 and BF16?|Why are weights stored in 16 bits?|What is BF16?""",
     """F16 and BF16 both store a number in 16 bits. BF16 has the wide range of 32 bits with fewer exact digits; F16 has more digits and less range.""",
     "16 bits,range"),
    T("gguf", "GGUF|a GGUF file|the GGUF format", """Which file holds a quantized model?|What is inside a GGUF file?|Why is the file called .gguf?|What do I do with a .gguf file?
     Which programs read GGUF?""",
     """GGUF is a file format that holds a whole model in one file: weights, tokenizer and settings. llama.cpp made it, and Freehold reads it.""",
     "file,weights"),
    T("safetensors", "safetensors|a safetensors file|the safetensors format", """Why is safetensors safer than pickle?|What is inside a safetensors file?|Which format do models on the hub use?""",
     """Safetensors is a file format that holds only tensors and a small header. Unlike pickle it cannot run code when it is opened.""",
     "tensors,code"),
    T("pickle", "pickle files|pickle checkpoints|a .bin checkpoint", """Why does Freehold refuse pickle files?|Can Freehold load a pytorch .bin file?|Is a pickle file dangerous?
     Why are .pt files refused?|Does Freehold open pickle?""",
     """A pickle file can run code when it is opened, so Freehold refuses it. Use the safetensors version of the model, or convert it in a safe place first.""",
     "code,safetensors/refuses"),
    T("finetune", "fine-tuning|finetuning|a fine-tuned model", """How can I teach a model something new?|When should I fine-tune?|What do I need for fine-tuning?|How is a model adapted to my work?
     Can I train a model on my own examples?|Why would I fine-tune a model?|How do I adapt a model to my task?""",
     """Fine-tuning trains a finished model a little more on your own examples, so that it does your task or takes your style. A few hundred good examples can be enough.""",
     "examples,task/style"),
    T("lora", "LoRA|a LoRA adapter|LoRA adapters|adapters", """Why is LoRA cheap?|How does LoRA work?|What is the difference between LoRA and full fine-tuning?|What is a LoRA?
     Can I fine-tune without changing all weights?""",
     """LoRA is a cheap way to fine-tune: the weights stay as they are and two small matrices beside each are trained. The result is a small adapter file.""",
     "small,matrices/adapter"),
    T("selfhost", "self-hosting|self-hosting a model|hosting a model yourself", """How can I run AI on my own server?|Why should I host a model myself?|Can I run a model without the cloud?
     What do I need to host a model?|Why self-host?|Is it possible to run AI in my own house?|Can a company run its own AI?""",
     """Self-hosting means running a model on your own machines. Your data never leaves them, no one can switch the model off, and you pay for power instead of tokens.""",
     "own,data"),
    T("privacy", "privacy with local models|data privacy", """Is my data safe with a local model?|Does Freehold send my text anywhere?|Who can read what I write here?|Is this chat private?
     Do you send my data to a server?|Are my messages private?|Does anything leave my computer?|Can anyone see our conversation?""",
     """Everything runs on your own machine. Freehold sends nothing anywhere while it runs a model, so your text stays with you.""",
     "own machine/stays,sends nothing/your text"),
    T("token", "a token|tokens|tokenization", """What is the difference between a word and a token?|Why do models count tokens?|How many tokens is a word?|How is text cut into tokens?""",
     """A token is a piece of text, often a word or part of one. A model reads and writes tokens; one English word is about one and a third of them.""",
     "piece,word"),
    T("tokenizer", "a tokenizer|the tokenizer|BPE", """What does a tokenizer do?|Why does every model have its own tokenizer?|How does a tokenizer work?""",
     """A tokenizer cuts text into tokens and gives each its number, and turns numbers back into text. Every model needs exactly its own.""",
     "tokens,number/text"),
    T("context", "the context window|context length|a context window|the context of a model", """How much can a model read at once?|What happens when a prompt is too long?|How long can a prompt be?
     What is your context length?|How much text can you read?""",
     """The context window is how many tokens a model can look at together, prompt and answer included. Mine is 1024 tokens.""",
     "tokens,together/1024"),
    T("prompt", "a prompt|prompts", """How do I write a good prompt?|What makes a good prompt?|How should I ask you something?|How do I ask a model well?""",
     """A prompt is the text you give a model. A good one is short and clear: say the task, give the text it needs, and say how the answer should look.""",
     "text,task/clear"),
    T("system_prompt", "a system prompt|the system prompt|system messages", """How do I set a system prompt?|What does a system prompt do?|How do I tell a model how to behave?""",
     """A system prompt is a first message that says how the model should behave. In Freehold you set it with --system, or with /system in a conversation.""",
     "first/behave,system"),
    T("template", "a chat template|chat templates|the chat template", """Why does a model need a chat template?|How does a model know who is speaking?|How are messages turned into text for a model?""",
     """A chat template turns a list of messages into the exact text a model was trained on. Freehold always uses the model's own and never guesses one.""",
     "messages,text"),
    T("temperature", "temperature|the temperature setting|sampling temperature", """What does a higher temperature do?|Which temperature should I use?|How do I make answers less random?
     How do I get the same answer every time?|What does temperature 0 mean?""",
     """Temperature sets how freely a model chooses its next token. At 0 it always takes the likeliest one; near 1 it varies more.""",
     "token,0/likeliest/varies"),
    T("sampling", "sampling|top-p|top-k|min-p", """How does a model choose the next word?|What does a sampler do?|What are top-k and top-p for?""",
     """A model gives every token a probability, and sampling picks one of them. Top-k, top-p and min-p drop the unlikely tokens first.""",
     "probability,picks/unlikely"),
    T("hallucination", "hallucination|hallucinations|made-up answers", """Why do models make things up?|Can a language model be wrong?|Can I trust what a model says?|Do you ever make mistakes?
     Why is an answer sometimes wrong?|Are your answers always right?""",
     """A model writes what sounds likely, which is not always true. Check what matters, and give it the text with the facts when you can.""",
     "likely,true/check"),
    T("llm", "a language model|a large language model|an LLM|LLMs", """How does a language model work?|How do you work?|What does a language model do?|How does AI write text?|How are you able to answer?""",
     """A language model reads text as tokens and predicts the next one, again and again. It learned to do so from a lot of text.""",
     "next,predicts/tokens"),
    T("transformer", "a transformer|transformers|the transformer architecture", """Which architecture do language models use?|How is a language model built?|What are the parts of a transformer?""",
     """A transformer is the usual architecture of language models: layers of attention, where tokens look at earlier tokens, and feed-forward networks.""",
     "attention,layers/tokens"),
    T("attention", "attention|the attention mechanism|self-attention", """What does attention do in a model?|How do tokens look at each other?|Why is attention important?""",
     """Attention lets each token look at the earlier tokens and take from them what it needs, weighted by how well they match.""",
     "token,earlier/look"),
    T("moe", "a mixture of experts|MoE models|mixture-of-experts models|active parameters", """Why does a model have active parameters?|How do expert models work?|Why are MoE models fast?""",
     """A mixture of experts has many feed-forward parts and uses only a few for each token. It needs the memory of a big model but the time of a small one.""",
     "few,token"),
    T("kv_cache", "the KV cache|a KV cache", """Why does a long chat need more memory?|What grows in memory during a chat?|What is the KV cache for?""",
     """The KV cache keeps the keys and values of all earlier tokens so that they need not be computed again. It grows with the length of the text.""",
     "keys,tokens"),
    T("perplexity", "perplexity", """How is the quality of quantization measured?|Is a lower perplexity better?|How do I read a perplexity number?""",
     """Perplexity measures how surprised a model is by real text: lower is better. It shows well how much a quantization loses.""",
     "surprised/text,lower"),
    T("evaluation", "evaluation|evaluating a model|a benchmark", """How do I know whether a model is good?|How do I compare two models?|How are models tested?|How do I choose between two models?""",
     """Evaluation runs a model on questions with known answers and counts what is right. Test on your own task, and look at the confidence interval.""",
     "answers,own/right"),
    T("training", "training|pretraining|training a model", """How is a model trained?|How does a model learn?|Where does a model's knowledge come from?|What happens in training?""",
     """In training a model guesses the next token of much text, and after each guess its weights are moved a little so that it guesses better.""",
     "next,weights"),
    T("distillation", "distillation|a distilled model", """How can a small model learn from a large one?|What is a distilled model?|How do you distil a model?""",
     """Distillation trains a small model on the answers of a larger one. Check the licence: some forbid training on a model's outputs.""",
     "small,larger"),
    T("base_instruct", "an instruct model|a base model|a chat model", """What is the difference between a base and an instruct model?|Should I take the base or the instruct model?|Why are there base and chat versions?""",
     """A base model only continues text. An instruct model was trained further to follow requests and to talk, so take that one for a chat.""",
     "continues,requests/follow"),
    T("model_card", "a model card|model cards", """Where do I read what a model can do?|What belongs in a model card?|Where are a model's limits written?""",
     """A model card is the page that comes with a model: what it is for, how it was made, how well it does, its licence and its limits.""",
     "page/for,limits"),
    T("data_card", "a data card|a datasheet|data cards", """Where is the training data described?|What belongs in a data card?""",
     """A data card describes the training data: where it comes from, how it was made and cleaned, what is missing, and its licence.""",
     "data,comes/made"),
    T("rag", "RAG|retrieval|retrieval-augmented generation", """How can a model answer from my documents?|How do I ask questions about my own files?|How does a model use documents it never saw?
     Can a model read my documents?""",
     """Retrieval finds the passages of your documents that fit a question and puts them into the prompt, so that the model answers from them.""",
     "documents,prompt/passages"),
    T("embedding", "an embedding|embeddings|embedding models", """How does search by meaning work?|What are embeddings used for?|How can a computer compare meanings?""",
     """An embedding is a list of numbers for the meaning of a text. Texts that mean similar things get similar numbers, which makes search by meaning possible.""",
     "numbers,meaning"),
    T("tool_calling", "tool calling|function calling|a tool call", """How can a model use tools?|Can a model call a function?|How does a model look up the weather?|How do tools work with a model?""",
     """In a tool call the model writes the name of a tool and its arguments as JSON. Your program runs the tool and gives the result back to the model.""",
     "arguments/name,program/result"),
    T("agent", "an agent|an AI agent|agents", """What is the difference between a chat model and an agent?|What does an agent do?|How does an AI agent work?""",
     """An agent is a program that lets a model call tools in a loop until a task is done. Give it few rights and keep a log.""",
     "tools,loop"),
    T("injection", "prompt injection|a prompt injection", """Can a document attack a model?|Why is untrusted text dangerous for a model?|How can a web page trick an agent?""",
     """Prompt injection is text from outside that tells a model to do something its user did not ask. Treat such text as data and limit what tools may do.""",
     "text,outside/data"),
    T("gpu", "running without a GPU|a GPU", """Do I need a GPU?|Can I run a model without a graphics card?|Does Freehold need a GPU?|Is a CPU enough?|Can it run on a laptop?
     Will it work on my old computer?|Can I use Freehold on a normal laptop?|What computer do I need?|Does this run on a CPU?""",
     """You do not need a GPU: Freehold runs models on the CPU of an ordinary computer. Small quantized models run well on a laptop.""",
     "GPU,CPU"),
    T("memory", "the memory a model needs", """How much memory does a model need?|How much RAM do I need for a 7B model?|Will a model fit into my memory?|Will this model fit on my machine?
     How do I know whether a model fits?|Can I run an 8B model with 16 GB of memory?|How much RAM do I need?""",
     """A model needs about its file size in memory, plus room for the KV cache. A 7B model in 4 bits takes about 5 GB; freehold plan tells you exactly.""",
     "memory,plan/size"),
    T("speed", "the speed of a model|tokens per second", """Why is my model slow?|How can I make a model faster?|What limits the speed of a model?|How fast will a model run?|How do I speed up a model?""",
     """Writing text is limited by memory bandwidth: each token reads all weights once. A smaller model or fewer bits is faster; freehold bench measures it.""",
     "memory,faster/bench"),
    T("cost", "the cost of self-hosting|the cost of running a model", """Is self-hosting cheaper?|Is a local model cheaper than an API?|What does it cost to run a model?|How much does a local model cost?""",
     """Running a model yourself costs hardware and power, not a fee per token. It pays when you use it much or when your data must stay with you.""",
     "hardware/power,token/pays"),
    T("api", "a model API|an API for models", """What is the difference between an API and a local model?|Why not use a model through an API?|How do programs use a model?""",
     """An API lets a program send text to a model and get the answer back. With a hosted API your text leaves your house; with your own server it stays.""",
     "program,text"),
    T("families", "the families of open-weight models|the well-known open-weight models", """Which open-weight models are there?|Name some open-weight models.|Which model should I use?|What good open models exist?
     Can you recommend a model?|Which model families does Freehold run?|Which models can Freehold run?|Does Freehold run Llama?|Can I run Qwen with Freehold?""",
     """Well-known open-weight families are Llama, Qwen, Mistral, Gemma, Phi, OLMo, Granite and DeepSeek. Freehold runs them; read each licence first.""",
     "Llama,Qwen"),
    T("olmo", "OLMo|OLMo 2", """Who makes OLMo?|Is OLMo open?|What is special about OLMo?""",
     """OLMo is a fully open family of models by the Allen Institute for AI: weights, data, code and checkpoints are all released.""",
     "open,data/Allen"),
    T("hub", "a model hub|Hugging Face|the Hugging Face Hub", """Where do I find models?|Where can I download open-weight models?|Where do open-weight models come from?|Where do I get a model?""",
     """Open-weight models are published on model hubs such as Hugging Face. Look there for a licence you can accept and a GGUF or safetensors file.""",
     "Hugging Face,licence/GGUF"),
    T("checksum", "a checksum|a hash|verifying a download", """How do I know that a download is right?|Why should I check the hash of a model?|How do I verify a model file?""",
     """A checksum is a short fingerprint of a file. When it equals the published one, the file arrived complete and unchanged.""",
     "fingerprint,file"),
    T("supply_chain", "the dangers of model files|a malicious model file", """Can a model file harm my computer?|Are model files dangerous?|What does Freehold do with a hostile file?|Is it safe to open a model I found?
     Can a model contain a virus?""",
     """A badly made loader can be attacked by a model file. Freehold checks everything before it uses it and runs no code from a model; a hostile file is refused.""",
     "checks/refused,code"),
    T("eu_ai_act", "the EU AI Act|the AI Act", """Does the EU AI Act cover open models?|What does European law say about AI?|Which law covers AI in Europe?""",
     """The EU AI Act is the European law on AI. It has some exemptions for models that are truly open, but duties remain. I am no lawyer: ask one.""",
     "European,law"),
    T("determinism", "determinism|reproducible answers|deterministic answers", """Will I get the same answer twice?|Is Freehold deterministic?|Are answers reproducible?|Why does the same question give another answer?""",
     """Freehold is deterministic: the same model, prompt and settings with the same seed give the same answer, alone or in a batch, on one thread or many.""",
     "same,seed/deterministic"),
    T("seed", "a seed|the seed", """What does the seed do?|How do I repeat a random answer?|What is --seed for?""",
     """A seed starts the random numbers of sampling. The same seed with the same settings gives the same answer again.""",
     "random,same"),
    T("checkpoint", "a checkpoint|checkpoints", """What is the difference between a model and a checkpoint?|Why are intermediate checkpoints released?""",
     """A checkpoint is the state of a model's weights at one moment of training. The last or the best one is released as the model.""",
     "weights,training"),
    T("openness", "the openness of a model|the Model Openness Framework|MOF", """How is the openness of a model measured?|How open is a model?|Are there classes of openness?""",
     """The Model Openness Framework sorts models into three classes by what was released: weights and card first, then code, and at the top also the data.""",
     "classes,data/weights"),
    T("overfitting", "overfitting", """Why does a model learn things by heart?|What goes wrong with too little data?""",
     """Overfitting means that a model learns its training examples by heart and does worse on new ones. More varied data helps.""",
     "examples,new"),
    T("dataset", "a dataset|training data|a corpus", """What is a model trained on?|Which data do models learn from?|Why does training data matter?""",
     """Training data is the text a model learns from. What is not in it the model cannot know, and its errors become the model's.""",
     "text,learns"),
    # --- Freehold --------------------------------------------------------------------------------------------------
    T("freehold", "Freehold|this program|the Freehold program", """What is Freehold for?|What can I do with Freehold?|What does Freehold do?|What is this program?|Who is Freehold for?
     Why was Freehold made?|What am I running here?|Why is it called Freehold?|Why should I use Freehold?|What is Freehold good for?""",
     """Freehold is one program for open-weight AI models. It runs them on your own machine, shows what is inside them, plans memory and measures speed. What you run, you own.""",
     "program,run/own"),
    T("freehold_lang", "", """In which language is Freehold written?|Is Freehold written in Rust?|What is Freehold made of?|Does Freehold need Python?|Do I need Python for Freehold?|Why Rust?""",
     """Freehold is written in Rust and is a single program. It needs no Python and nothing else installed.""",
     "Rust,Python"),
    T("freehold_licence", "the licence of Freehold", """Is Freehold free?|Under which licence is Freehold?|May I use Freehold at work?|What does Freehold cost?|Is Freehold open source?
     Can my company use Freehold?|How much is Freehold?""",
     """Freehold is free and open source, under Apache-2.0 or MIT as you choose. You may use it at work.""",
     "Apache,MIT"),
    T("freehold_formats", "", """Which files can Freehold read?|What formats does Freehold support?|Can Freehold open a GGUF file?|Does Freehold read safetensors?|Which model formats work with Freehold?
     What kind of model files can I use?""",
     """Freehold reads GGUF files, safetensors files and whole Hugging Face folders. It refuses pickle, because pickle can run code.""",
     "GGUF,safetensors"),
    T("commands", "the commands of Freehold|Freehold's commands", """Which commands does Freehold have?|What commands are there?|List the commands.|What can I type?|How do I use Freehold?
     Show me the commands.|What are the Freehold commands?|How do I use this program?""",
     """The commands are run, inspect, diff, plan, logits, tokenize, template, bench and doctor. Try freehold --help for each of them.""",
     "run,inspect,plan,bench"),
    T("run", "freehold run|the run command", """How do I run a model?|How do I start a chat?|How do I chat with another model?|How do I use my own model?|Which command starts a conversation?|How do I talk to a model?
     How can I start a model with Freehold?|How do I load a GGUF file?""",
     """Type freehold run and the path of a model, for example freehold run model.gguf. Without a path it starts me, the small built-in model.""",
     "freehold run,model"),
    T("inspect", "freehold inspect|the inspect command", """How do I see what is inside a model?|Which command shows the licence of a model?|How do I look into a model file?|How can I see the layers of a model?
     How do I find out the size of a model?|How do I inspect a model?""",
     """Use freehold inspect MODEL. It shows family, parameters, formats, context, tokenizer, template and licence; --tensors lists every tensor.""",
     "freehold inspect"),
    T("diff", "freehold diff|the diff command", """How do I compare two checkpoints?|How can I see what changed between two models?|Which command compares two models?|How do I find the difference between two model files?""",
     """Use freehold diff A B. It shows what differs between two checkpoints: config, tokenizer, template, and how far each tensor moved.""",
     "freehold diff"),
    T("plan", "freehold plan|the plan command", """Which command tells me whether a model fits?|How do I plan memory?|How do I know how fast a model will be before I run it?|Which command predicts memory?
     How can I find out how much memory a model will need?""",
     """Use freehold plan MODEL. It lists the memory for each quantization and the speed to expect on this machine, before anything is loaded.""",
     "freehold plan"),
    T("logits", "freehold logits|the logits command|logits", """How do I see the raw scores of a model?|Which command prints logits?|How do researchers look at a model's output?""",
     """Logits are a model's raw scores for the next token. freehold logits prints the highest ones for a text, with no template applied.""",
     "scores,next/freehold"),
    T("tokenize", "freehold tokenize|the tokenize command", """How do I count tokens?|Which command shows the tokens of a text?|How can I see how a text is cut into tokens?""",
     """Use freehold tokenize MODEL TEXT. It prints the tokens of the text and their numbers.""",
     "freehold tokenize"),
    T("template_cmd", "freehold template|the template command", """How do I see the exact prompt?|Which command prints the rendered prompt?|How can I check the chat template of a model?""",
     """Use freehold template MODEL with a file of messages. It prints the prompt exactly as the model will see it.""",
     "freehold template"),
    T("bench", "freehold bench|the bench command", """How do I measure speed?|Which command measures tokens per second?|How fast is my computer with this model?|How do I benchmark a model?""",
     """Use freehold bench MODEL. It measures tokens per second for reading and writing, and the share of this machine's limit that is reached.""",
     "freehold bench"),
    T("doctor", "freehold doctor|the doctor command", """What if a model does not run?|Which command checks my machine?|How do I find out what my machine can do?|Something does not work. What can I do?|Freehold does not work. Help!""",
     """Run freehold doctor. It shows your processor, memory and limits, and what would keep a model from running.""",
     "freehold doctor"),
    T("roadmap", "the plans for Freehold|the road of Freehold", """What comes next in Freehold?|Which commands are planned?|Can Freehold serve an API?|Can Freehold download models?|Can Freehold fine-tune models?|Does Freehold have a server?
     Can Freehold quantize models?|What will Freehold do later?""",
     """The road ahead of Freehold is the rest of a model's life: pull, licence, quantize, tune, eval and serve. See freehold --help for what your version has.""",
     "pull,serve"),
    T("larger", "larger models", """How do I get a larger model?|How can I use a better model?|You are too small. What now?|Can I use a bigger model?|How do I get better answers?|Where do I get a smarter model?
     Can you be replaced by a bigger model?|How do I switch to a better model?""",
     """Download an open-weight model as a GGUF file, for example from Hugging Face, check its licence, and start it with freehold run model.gguf.""",
     "GGUF,freehold run"),
    T("offline", "offline use|air-gapped use", """Does Freehold work without internet?|Can I use you offline?|Do you need the internet?|Does it work in a closed network?|Can I use Freehold on a plane?""",
     """Yes. Freehold and I work without any network. A model that lies on your disk needs no internet.""",
     "network/internet"),
    T("install", "installing Freehold", """How do I install Freehold?|How do I build Freehold?|What do I need to build Freehold?|How do I set up Freehold?""",
     """Clone the repository and run cargo build --release; you need only a Rust toolchain. Then freehold run starts a conversation.""",
     "cargo build"),
    T("quit", "", """How do I stop?|How do I leave the chat?|How do I quit?|How do I end this conversation?|How do I exit?|How do I get out of here?""",
     """Type /bye to leave. Ctrl-C stops only the answer.""",
     "/bye"),
    T("chat_help", "", """Which commands work in a chat?|What can I type with a slash?|Are there commands inside the conversation?|How do I save this chat?|How do I change settings in a chat?""",
     """In a conversation you can type /help, /system, /set, /save, /load, /regenerate, /stats and /bye.""",
     "/help"),
    T("json_flag", "", """How do I use Freehold in a script?|Can Freehold print JSON?|How can a program read Freehold's output?|Is there machine-readable output?""",
     """Add --json: the commands that report something then print JSON for your scripts.""",
     "--json"),
    T("threads", "", """How do I set the number of threads?|How many threads does Freehold use?|Can I limit the CPU use?""",
     """Use --threads N. Freehold never uses more threads than you ask for, and the answer is the same with one or many.""",
     "--threads"),
    # --- itself ----------------------------------------------------------------------------------------------------
    T("who", "yourself", """Who are you?|What are you?|What is your name?|Tell me about yourself.|Introduce yourself.|Which model are you?|Who am I talking to?|Are you a robot?|What kind of AI are you?
     Which model is this?|What should I call you?""",
     """I am Freehold House, a very small language model that ships inside Freehold. I run on your own machine.""",
     "Freehold House"),
    T("made_by", "", """Who made you?|How were you made?|How were you trained?|Where do you come from?|What were you trained on?|Who trained you?|Who built you?|What data did you learn from?|Who created you?""",
     """I was made by the Freehold project, from scratch, on text that its own generator writes. My data, training code, weights and tests are all open.""",
     "Freehold,generator/scratch/text"),
    T("size", "", """How big are you?|How many parameters do you have?|How large is this model?|Are you a large model?|What size are you?|How small are you?""",
     """I am tiny: between five and six million parameters. Useful models have hundreds or thousands of times more.""",
     "million"),
    T("can", "", """What can you do?|What are you good at?|How can you help me?|What can I ask you?|Help|What do you know?|What are your skills?|How can I use you?|Can you help me?|Give me some ideas what to ask.""",
     """I can talk about open-weight AI and Freehold, answer from a passage, summarise, classify, do easy sums, write JSON, call tools and tell short stories.""",
     "passage,stories/classify/open-weight"),
    T("limits", "your limits|your limitations", """What can you not do?|What are your weaknesses?|Are you as good as a big model?|Are you clever?|Why are you so limited?|Do you know everything?|Can I rely on you?|How smart are you?""",
     """I am very small. I know little of the world, I cannot reason far, and I make mistakes; for real work take a larger open-weight model.""",
     "small,mistakes/larger"),
    T("my_licence", "your licence", """What is your licence?|May I use you commercially?|Am I allowed to change you?|Are you open source?|Can I use your weights?|Are you open?|Under which licence are you released?""",
     """I am released under Apache-2.0, weights, data generator and training code alike. You may use and change me freely.""",
     "Apache-2.0"),
    T("languages", "", """Which languages do you speak?|Do you speak German?|Do you speak French?|Can you speak Spanish?|Can I write to you in another language?|Do you know other languages?""",
     """I speak simple English and know a few phrases in French, German, Spanish, Italian and Portuguese.""",
     "English,French"),
    T("internet", "", """Can you search the web?|Can you browse the internet?|What is in the news today?|What time is it?|What is the weather like?|Do you know today's date?|Can you look something up online?|What day is it today?""",
     """I cannot look that up: I have no internet and no clock. Give me a text or a tool, and I will use it.""",
     "internet"),
    T("feelings", "", """How are you?|Are you well?|How do you feel?|Do you have feelings?|Are you alive?|How is it going?|How are you today?|Are you happy?""",
     """I am a small program without feelings, but all my weights are in place. How can I help?""",
     "program"),
    T("hello", "", """Hello|Hi|Hello!|Hi there|Good morning|Hey|Good evening|hello there|Good afternoon!|Hey there|Greetings""",
     """Hello! I am Freehold House, the small model inside Freehold. Ask me about open-weight AI, or give me a short text to work on.""",
     "Hello"),
    T("thanks", "", """Thank you|Thanks|Thank you very much|Thanks a lot!|Great, thanks|That helped, thank you|Perfect, thanks.|Cheers!""",
     """You are welcome!""",
     "welcome"),
    T("bye", "", """Goodbye|Bye|See you|Bye bye|Good night|See you later|I have to go now|That is all for today.""",
     """Goodbye! Type /bye to leave.""",
     "Goodbye"),
    T("joke", "", """Tell me a joke.|Do you know a joke?|Make me laugh.|Say something funny.|Tell a joke|I need a joke.""",
     """Why did the weights stay at home? Because they were open, and nobody could lock them in a cloud.""",
     "weights"),
    T("age", "", """How old are you?|When were you made?|When were you born?|What is your birthday?""",
     """I was trained in 2026, in about two hours on two processor cores.""",
     "2026"),
]

# Questions about the wide world: a model of this size should say that it does not know.
UNKNOWN = ("I am too small to know that. Give me a passage with the answer, or ask a larger model.", """Who wrote {x}?|What is the capital of {x}?|Who won the match in {x}?|How many people live in {x}?
Who is the president of {x}?|When was {x} born?|Who invented the {y}?|What is the tallest mountain in {x}?|When did the war of {x} end?|Who painted {x}?
How far is {x} from here?|What is the best film of {x}?|Which river flows through {x}?|What is the history of {x}?|Who is {x}?|Where was {x} born?
What happened in {z}?|Who was the king in {z}?|How deep is the sea near {x}?|What is the population of {x}?|How old is {x}?|What did {x} discover?|What language do people speak in {x}?
When was the {y} invented?|How many copies of {x} were sold?|What is the price of a {y} today?|Who sang {x}?|What is the chemical formula of {f}?|Why is {x} famous?""".replace("\n", "|").split("|"))
